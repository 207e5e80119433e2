"""What the drivers of the examples share: a stage on which a loop is played.

A driver starts the program and whatever else the example needs, brings the
example's folder into being, plays time, and believes only what it reads back:

    from play import Play, until

    with Play("late-delivery", __doc__) as play:
        orders = play.child("source-system", [sys.executable, "serve.py", "--port", "0"])
        program = play.program(reach=[orders.address])
        pool = program.pool("purchasing")
        pool.push("Events", csv_text, types={"case_id": "STRING"})
        program.apply(FOLDER)
        until("the flow has ended", lambda: program.runs("reroute", status="success"))
        play.verify("the order moved on", order["step"] == "Pay", f"it stands at {order['step']}")
    sys.exit(play.status)

Standard library only, Python 3.9.
"""

from .client import Client, Refused, Unanswered
from .pool import Pool, as_csv
from .program import Program
from .stage import Play, say
from .waiting import NotInTime, until

__all__ = ["Client", "NotInTime", "Play", "Pool", "Program", "Refused", "Unanswered", "as_csv", "say", "until"]
