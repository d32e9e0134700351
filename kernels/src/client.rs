//! The client's end of a kernel's sockets: requests out, verified messages in. Knows nothing of notebooks.
//!
//! Messages are read continuously into a queue that is bounded by bytes: a kernel's publishing socket drops what nobody reads.
//! Source: `jupyter_client` messaging.md 5.4.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt as _;
use jupyter_protocol::{
    ExecuteRequest, InterruptRequest, JupyterMessage, KernelInfoRequest, ShutdownRequest,
};
use jupyter_zmq_client::{
    ClientControlConnection, ClientIoPubConnection, Connection, ConnectionInfo,
    DealerRecvConnection, DealerSendConnection, RawMessage, RuntimeError,
};
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;
use zeromq::{Socket as _, SocketEvent, SocketRecv};

/// How much may wait to be handled, in KiB.
const QUEUE_KIB: u32 = 256 * 1024;

type Result<T> = std::result::Result<T, RuntimeError>;

/// Where a message came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Channel {
    Shell,
    Iopub,
}

/// One message of a kernel. Its signature was right; its content is not checked.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) channel: Channel,
    pub(crate) kind: String,
    /// The id of the request it belongs to; empty without one.
    pub(crate) parent: String,
    pub(crate) content: Bytes,
    pub(crate) buffers: Vec<Bytes>,
    _room: Option<OwnedSemaphorePermit>,
}

/// What comes from a kernel.
#[derive(Debug)]
pub(crate) enum Event {
    Message(Message),
    /// The kernel has closed its end.
    Closed,
}

/// A connected client.
pub(crate) struct Client {
    shell: DealerSendConnection,
    control: ClientControlConnection,
    events: mpsc::UnboundedReceiver<Event>,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for Client {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Client {
    /// Connects to all sockets that matter here; the kernel must have made them.
    pub(crate) async fn connect(info: &ConnectionInfo) -> Result<Self> {
        let session = uuid::Uuid::new_v4().simple().to_string();
        let identity = jupyter_zmq_client::peer_identity_for_session(&session)?;
        let iopub = jupyter_zmq_client::create_client_iopub_connection(info, "", &session).await?;
        let mut shell = jupyter_zmq_client::create_client_shell_connection_with_identity(
            info, &session, identity,
        )
        .await?;
        let control = jupyter_zmq_client::create_client_control_connection(info, &session).await?;
        let mut monitor = shell.socket.monitor();
        let (shell, replies) = shell.split();
        let (sender, events) = mpsc::unbounded_channel();
        let closed = sender.clone();
        let queue = Queue {
            sender,
            room: Arc::new(Semaphore::new(QUEUE_KIB as usize)),
        };
        let watch = async move {
            while let Some(event) = monitor.next().await {
                if matches!(event, SocketEvent::Disconnected(_))
                    && closed.send(Event::Closed).is_err()
                {
                    return;
                }
            }
        };
        let tasks = vec![
            tokio::spawn(read_iopub(iopub, queue.clone())),
            tokio::spawn(read_replies(replies, queue)),
            tokio::spawn(watch),
        ];
        Ok(Self {
            shell,
            control,
            events,
            tasks,
        })
    }

    /// What comes next; never ends before the client does. Cancel safe.
    pub(crate) async fn next(&mut self) -> Event {
        self.events.recv().await.unwrap_or(Event::Closed)
    }

    /// What has come already.
    pub(crate) fn next_now(&mut self) -> Option<Event> {
        self.events.try_recv().ok()
    }

    /// Asks the kernel who it is; gives the request's id.
    pub(crate) async fn ask_info(&mut self) -> Result<String> {
        let message = JupyterMessage::new(KernelInfoRequest {}, None);
        let id = message.header.msg_id.clone();
        self.shell.send(message).await?;
        Ok(id)
    }

    /// Makes the request that runs `code`, so that its id is known before anything comes back.
    pub(crate) fn request(code: &str) -> (String, JupyterMessage) {
        let request = ExecuteRequest {
            code: code.to_owned(),
            silent: false,
            store_history: true,
            user_expressions: None,
            allow_stdin: false,
            // There is never a second request behind this one that an error could cancel.
            stop_on_error: false,
        };
        let message = JupyterMessage::new(request, None);
        (message.header.msg_id.clone(), message)
    }

    /// Sends a request of [`Client::request`].
    pub(crate) async fn send(&mut self, message: JupyterMessage) -> Result<()> {
        self.shell.send(message).await
    }

    /// Asks the kernel to interrupt what runs, for kernels that take a message instead of a signal.
    pub(crate) async fn ask_interrupt(&mut self) -> Result<()> {
        self.control
            .send(JupyterMessage::new(InterruptRequest {}, None))
            .await
    }

    /// Asks the kernel to end.
    pub(crate) async fn ask_shutdown(&mut self) -> Result<()> {
        let request = ShutdownRequest { restart: false };
        self.control.send(JupyterMessage::new(request, None)).await
    }
}

#[derive(Clone)]
struct Queue {
    sender: mpsc::UnboundedSender<Event>,
    room: Arc<Semaphore>,
}

impl Queue {
    /// Queues a message once there is room; false when nobody takes messages any more.
    async fn put(&self, channel: Channel, raw: RawMessage) -> bool {
        let bytes: usize = raw.jparts.iter().map(Bytes::len).sum();
        let kib = u32::try_from(bytes / 1024 + 1)
            .unwrap_or(QUEUE_KIB)
            .min(QUEUE_KIB);
        let room = Arc::clone(&self.room).acquire_many_owned(kib).await.ok();
        match message(channel, raw, room) {
            Some(message) => self.sender.send(Event::Message(message)).is_ok(),
            None => !self.sender.is_closed(),
        }
    }
}

async fn read_iopub(mut connection: ClientIoPubConnection, queue: Queue) {
    while let Some(raw) = read(&mut connection).await {
        if !queue.put(Channel::Iopub, raw).await {
            return;
        }
    }
}

async fn read_replies(mut connection: DealerRecvConnection, queue: Queue) {
    while let Some(raw) = read(&mut connection).await {
        if !queue.put(Channel::Shell, raw).await {
            return;
        }
    }
}

/// The next message with a right signature; `None` when the socket has nothing to give for good.
async fn read<S: SocketRecv>(connection: &mut Connection<S>) -> Option<RawMessage> {
    let mut failures = 0_u32;
    loop {
        match connection.socket.recv().await {
            Ok(multipart) => match RawMessage::from_multipart(multipart, &connection.mac) {
                Ok(raw) => return Some(raw),
                Err(error) => tracing::warn!(%error, "a kernel's message was not taken"),
            },
            Err(error) => {
                failures += 1;
                tracing::debug!(%error, "a kernel's socket failed");
                if failures > 100 {
                    return None;
                }
                // The peer is away: the process's end tells why, soon.
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        }
    }
}

#[derive(Deserialize)]
struct Header {
    msg_type: String,
}

#[derive(Deserialize, Default)]
struct Parent {
    #[serde(default)]
    msg_id: String,
}

fn message(
    channel: Channel,
    raw: RawMessage,
    room: Option<OwnedSemaphorePermit>,
) -> Option<Message> {
    let mut parts = raw.jparts.into_iter();
    let (header, parent, _metadata, content) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let header: Header = serde_json::from_slice(&header)
        .inspect_err(|error| tracing::warn!(%error, "a kernel's message has no readable header"))
        .ok()?;
    let parent: Parent = serde_json::from_slice(&parent).unwrap_or_default();
    Some(Message {
        channel,
        kind: header.msg_type,
        parent: parent.msg_id,
        content,
        buffers: parts.collect(),
        _room: room,
    })
}
