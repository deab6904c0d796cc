//! What goes on after a bug.

use std::any::Any;

/// Does `work` to its end; and again from its beginning whenever it panics, which `tell` is told in words. So a bug costs a
/// server one check, and no other server anything.
pub(super) async fn persist<W>(work: impl Fn() -> W, tell: impl Fn(String))
where
    W: Future<Output = ()> + Send + 'static,
{
    while let Err(error) = tokio::spawn(work()).await {
        match error.try_into_panic() {
            Ok(panic) => tell(in_words(&*panic)),
            // The runtime is at its end.
            Err(_) => return,
        }
    }
}

/// What a panic says.
fn in_words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without words").to_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex};

    use super::*;

    #[tokio::test]
    async fn work_that_panics_is_begun_again() {
        let begun = Arc::new(AtomicUsize::new(0));
        let told = Mutex::new(Vec::new());
        let work = || {
            let begun = Arc::clone(&begun);
            async move {
                match begun.fetch_add(1, Ordering::Relaxed) {
                    0 => panic!("the first"),
                    1 => panic!("the {}", "second"),
                    _ => {}
                }
            }
        };
        persist(work, |why| told.lock().unwrap().push(why)).await;
        assert_eq!(
            (begun.load(Ordering::Relaxed), told.into_inner().unwrap()),
            (3, vec!["the first".into(), "the second".into()])
        );
    }
}
