use std::collections::VecDeque;

/// The TLS 1.3 tickets that nodes gave. Each can be offered once.
#[derive(Debug)]
pub(super) struct Psks<S> {
    nodes: Vec<Shelf<S>>,
}

/// Those of one node.
#[derive(Debug)]
struct Shelf<S> {
    fresh: VecDeque<S>,
    /// One of the first, for when the node is asked again for its own.
    kept_back: Option<S>,
}

impl<S> Psks<S> {
    /// Nothing of so many nodes yet.
    pub(super) fn new(nodes: usize) -> Self {
        Self { nodes: (0..nodes).map(|_| Shelf { fresh: VecDeque::new(), kept_back: None }).collect() }
    }

    /// Keeps what `node` gave on a connection.
    pub(super) fn keep(&mut self, node: usize, mut tickets: Vec<S>, first: bool) {
        let shelf = &mut self.nodes[node];
        if first && tickets.len() > 1 {
            shelf.kept_back = tickets.pop();
        }
        shelf.fresh.extend(tickets);
    }

    /// How many tickets of `node` there are to offer.
    pub(super) fn count(&self, node: usize) -> usize {
        self.nodes[node].fresh.len()
    }

    /// Whether one of the first tickets of `node` is there yet.
    pub(super) fn has_kept_back(&self, node: usize) -> bool {
        self.nodes[node].kept_back.is_some()
    }

    /// The oldest ticket of `node`.
    pub(super) fn take(&mut self, node: usize) -> Option<S> {
        self.nodes[node].fresh.pop_front()
    }

    /// The one of the first tickets of `node` that was kept back.
    pub(super) fn take_kept_back(&mut self, node: usize) -> Option<S> {
        self.nodes[node].kept_back.take()
    }
}
