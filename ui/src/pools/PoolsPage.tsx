import { useState, type FormEvent } from "react";
import { Link, useLocation } from "wouter";
import { useQuery } from "@tanstack/react-query";

import { Dialog } from "../kit/Dialog";
import { Empty } from "../kit/Empty";
import { Page } from "../kit/Page";
import { Read } from "../kit/Read";
import { useAct } from "../kit/useAct";
import { When } from "../kit/When";
import { pools } from "./api";
import "./pools.css";

/** The pools that the reader may use. */
export default function PoolsPage() {
  const list = useQuery({ queryKey: ["pools"], queryFn: pools.list });
  const [making, setMaking] = useState(false);
  return (
    <Page
      title="Data pools"
      actions={
        <>
          <Link className="button" href="/app-keys">
            App keys
          </Link>
          <button type="button" className="primary" onClick={() => setMaking(true)}>
            New pool
          </button>
        </>
      }
    >
      <Read query={list}>
        {(all) =>
          all.length === 0 ? (
            <Empty title="There is no pool yet">
              <p>A pool holds tables. Make one, then import a file in the browser, or push one from a terminal:</p>
              <p>
                <code>loopwright push POOL TABLE FILE.csv --create-pool</code>
              </p>
            </Empty>
          ) : (
            <div className="table-frame">
              <table className="list">
                <thead>
                  <tr>
                    <th>Name</th>
                    <th>Id</th>
                    <th>Made by</th>
                    <th>Made</th>
                  </tr>
                </thead>
                <tbody>
                  {all.map((pool) => (
                    <tr key={pool.id}>
                      <td>
                        <Link href={`/pools/${encodeURIComponent(pool.name)}`}>{pool.name}</Link>
                      </td>
                      <td>
                        <code>{pool.id}</code>
                      </td>
                      <td>{pool.createdBy}</td>
                      <td>
                        <When at={pool.createdAt} />
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          )
        }
      </Read>
      {making && <NewPool onClose={() => setMaking(false)} />}
    </Page>
  );
}

function NewPool({ onClose }: { onClose: () => void }) {
  const [name, setName] = useState("");
  const [, goTo] = useLocation();
  const { act, busy } = useAct("pools");
  const make = async (event: FormEvent) => {
    event.preventDefault();
    const pool = await act(() => pools.create(name.trim()), `The pool "${name.trim()}" is there`);
    if (pool !== null) goTo(`/pools/${encodeURIComponent(pool.name)}`);
  };
  return (
    <Dialog
      title="New pool"
      onClose={onClose}
      actions={
        <button type="submit" form="new-pool" className="primary" disabled={busy || name.trim() === ""}>
          Create
        </button>
      }
    >
      <form id="new-pool" onSubmit={make}>
        <div className="field">
          <label htmlFor="pool-name">Name</label>
          <input id="pool-name" value={name} onChange={(event) => setName(event.target.value)} autoFocus />
          <p className="hint">Flows and commands name the pool so, such as “purchasing”.</p>
        </div>
      </form>
    </Dialog>
  );
}
