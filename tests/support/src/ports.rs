//! Ports for programs that can't choose one by themselves.

use std::net::TcpListener;

/// Tries with other ports, for where somebody takes a port between our look and its use.
const TRIES: usize = 3;

/// Starts something on ports that were free a moment ago, and again on others if it says that one is in use.
///
/// # Errors
/// Why it could not be started.
pub fn on_free_ports<const N: usize, T>(start: impl Fn([u16; N]) -> Result<T, String>) -> Result<T, String> {
    let mut failed = String::new();
    for _ in 0..TRIES {
        match start(free_ports()?) {
            Err(why) if why.to_lowercase().contains("address already in use") => failed = why,
            other => return other,
        }
    }
    Err(failed)
}

fn free_ports<const N: usize>() -> Result<[u16; N], String> {
    let text = |error: std::io::Error| error.to_string();
    let listeners: Vec<TcpListener> = (0..N)
        .map(|_| TcpListener::bind("127.0.0.1:0"))
        .collect::<Result<_, _>>()
        .map_err(text)?;
    let mut ports = [0; N];
    for (port, listener) in ports.iter_mut().zip(&listeners) {
        *port = listener.local_addr().map_err(text)?.port();
    }
    Ok(ports)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_port_that_was_taken_is_not_tried_again() {
        let tries = Cell::new(0);
        let start = |[one, other]: [u16; 2]| {
            tries.set(tries.get() + 1);
            assert_ne!(one, other);
            let taken = TcpListener::bind(("127.0.0.1", one)).expect("a free port");
            let again = TcpListener::bind(("127.0.0.1", if tries.get() == 1 { one } else { other }));
            drop(taken);
            again.map(drop).map_err(|error| error.to_string())
        };
        assert_eq!((on_free_ports(start), tries.get()), (Ok(()), 2));
    }

    #[test]
    fn what_fails_otherwise_or_always_is_told() {
        let tries = Cell::new(0);
        let fails = |why: &'static str| {
            let start = move |_: [u16; 1]| Err::<(), _>(why.to_owned());
            tries.set(0);
            on_free_ports(|ports| {
                tries.set(tries.get() + 1);
                start(ports)
            })
        };
        assert_eq!(
            (fails("no such file"), tries.get()),
            (Err("no such file".to_owned()), 1)
        );
        let why = "Address already in use";
        assert_eq!((fails(why), tries.get()), (Err(why.to_owned()), TRIES));
    }
}
