//! The gateway at work: sockets, the front, the app and the proxy, from the first request to the last.

use std::{sync::Arc, time::Duration};

use tokio::{sync::Semaphore, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    App,
    entrance::Entrance,
    front::Front,
    listen::{Drain, Listening, connections_for_open_files},
    proxy::{Bounds, Proxy},
};

/// How long requests in flight may take after the end began. Tunnels are cut at once: their clients connect again.
const GRACE: Duration = Duration::from_secs(10);

impl App {
    /// Serves `sockets` until `shutdown`, then ends what is in flight and returns.
    ///
    /// Dropping the future hangs up on every client.
    pub async fn run(self, sockets: Vec<Listening>, shutdown: CancellationToken) {
        let config = Arc::new(self.config().clone());
        let router = self.router();
        let entrance = Arc::new(Entrance::new(self.clone(), router.clone()));
        let proxy = Proxy::new(&config, entrance, Bounds::default());
        let kept = Arc::downgrade(&proxy);
        let tunnels = move || kept.upgrade().map_or(0, |proxy| proxy.tunnels());
        self.metrics().take_tunnels_from(tunnels);
        let front = Arc::new(Front::new(&config, router, Arc::clone(&proxy)));
        let connections = Arc::new(Semaphore::new(connections_for_open_files()));
        let drain = Drain::new();
        let mut listeners = JoinSet::new();
        for socket in sockets {
            let front = Arc::clone(&front);
            let handler = move |request, arrival| {
                let front = Arc::clone(&front);
                async move { front.handle(request, arrival).await }
            };
            let (config, connections) = (Arc::clone(&config), Arc::clone(&connections));
            listeners.spawn(socket.serve(config, connections, drain.clone(), handler));
        }
        shutdown.cancelled().await;
        self.end_streams();
        drain.begin();
        proxy.cut_tunnels();
        if !drain.finish(GRACE).await {
            tracing::warn!("some requests did not end in time");
        }
        listeners.join_all().await;
    }
}
