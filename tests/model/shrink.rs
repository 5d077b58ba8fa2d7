//! A failing list of operations, made shorter as long as it still fails.

use serde_json::Value;

use super::operation::Operation;
use super::run::{Difference, Run};

/// Does the operations from the beginning; the first difference, and after how many of them.
pub fn replay(settings: usize, seed: [u8; 32], operations: &[Operation]) -> Option<(usize, Difference)> {
    let mut run = Run::new(settings, seed, false);
    for (done, operation) in operations.iter().enumerate() {
        match guarded(|| run.apply(operation).and_then(|()| run.check_tables())) {
            Ok(()) => {}
            Err(difference) => return Some((done + 1, difference)),
        }
    }
    guarded(|| run.finish()).err().map(|difference| (operations.len(), difference))
}

/// A panic of the router or of its own check is a difference, too.
pub fn guarded(step: impl FnOnce() -> Result<(), Difference>) -> Result<(), Difference> {
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(step)) {
        Ok(result) => result,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Err(format!("panicked: {}", text.unwrap_or_default()))
        }
    }
}

/// Takes out as many operations as it can: halves first, then quarters, down to single ones, until nothing more goes.
pub fn shrink(settings: usize, seed: [u8; 32], mut operations: Vec<Operation>) -> Vec<Operation> {
    if let Some((failing, _)) = replay(settings, seed, &operations) {
        operations.truncate(failing);
    }
    loop {
        let before = operations.len();
        let mut size = operations.len().div_ceil(2);
        while size > 0 {
            let mut start = 0;
            while start < operations.len() {
                let end = (start + size).min(operations.len());
                let shorter = [&operations[..start], &operations[end..]].concat();
                match replay(settings, seed, &shorter) {
                    Some((failing, _)) => {
                        operations = shorter;
                        operations.truncate(failing);
                    }
                    None => start = end,
                }
            }
            size /= 2;
        }
        if operations.len() == before {
            return simplify(settings, seed, operations);
        }
    }
}

/// Takes options, details and arguments out of the messages where they make no difference.
fn simplify(settings: usize, seed: [u8; 32], mut operations: Vec<Operation>) -> Vec<Operation> {
    for at in 0..operations.len() {
        let Operation::Says { client, message } = operations[at].clone() else { continue };
        let mut message = message;
        let mut skipped = 0;
        while let Some(simpler) = without(&message, &mut skipped.clone()) {
            let operation = Operation::Says { client, message: simpler.clone() };
            let before = std::mem::replace(&mut operations[at], operation);
            if replay(settings, seed, &operations).is_some() {
                message = simpler;
            } else {
                operations[at] = before;
                skipped += 1;
            }
        }
    }
    operations
}

/// The value without the nth entry of its dictionaries.
fn without(value: &Value, nth: &mut usize) -> Option<Value> {
    let mut value = value.clone();
    if let Value::Array(values) = &mut value {
        for inner in values.iter_mut() {
            if let Some(simpler) = without(inner, nth) {
                *inner = simpler;
                return Some(value);
            }
        }
    } else if let Value::Object(pairs) = &mut value {
        let keys: Vec<String> = pairs.keys().cloned().collect();
        for key in keys {
            if *nth == 0 {
                pairs.remove(&key);
                return Some(value);
            }
            *nth -= 1;
            if let Some(simpler) = without(&pairs[&key], nth) {
                pairs.insert(key, simpler);
                return Some(value);
            }
        }
    }
    None
}
