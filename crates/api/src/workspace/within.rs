//! Pages within one object: a job or a run with more than a hundred tasks is
//! read in several answers.

use serde_json::Value;

use crate::fault::Fault;

/// Elements of each list in one answer.
const ELEMENTS_MAX: usize = 100;

/// Cuts the lists of an object to one page and says where the next begins.
/// Lists that are over are empty on later pages, because clients put the pages
/// together.
pub(super) fn cut(object: &mut Value, words: &[&str], token: Option<&str>) -> Result<Option<String>, Fault> {
    let start = match token.filter(|token| !token.is_empty()) {
        None => 0,
        Some(token) => token.strip_prefix("within-").and_then(|number| number.parse().ok()).ok_or_else(|| {
            let detail = format!("\"{token}\" is not a page token of this object");
            Fault::invalid("page_token", "parameter-invalid", detail)
        })?,
    };
    let mut has_more = false;
    for word in words {
        let Some(Value::Array(list)) = object.get_mut(*word) else { continue };
        has_more |= list.len() > start + ELEMENTS_MAX;
        list.drain(..start.min(list.len()));
        list.truncate(ELEMENTS_MAX);
    }
    Ok(has_more.then(|| format!("within-{}", start + ELEMENTS_MAX)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pages_put_together_are_the_whole() {
        let whole = json!({ "tasks": (0..250).collect::<Vec<_>>(), "parameters": [1, 2], "name": "big" });
        let (mut tasks, mut parameters, mut token, mut pages) = (Vec::new(), Vec::new(), None, 0);
        loop {
            let mut page = whole.clone();
            token = cut(&mut page, &["tasks", "parameters"], token.as_deref()).expect("a good token");
            tasks.extend(page["tasks"].as_array().expect("a list").clone());
            parameters.extend(page["parameters"].as_array().expect("a list").clone());
            pages += 1;
            if token.is_none() {
                break;
            }
        }
        assert_eq!(pages, 3);
        assert_eq!(json!({ "tasks": tasks, "parameters": parameters, "name": "big" }), whole);
        assert_eq!(cut(&mut json!({}), &["tasks"], Some("x")).expect_err("no token").status, 400);
    }
}
