//! Which connections are opened, kept and closed.

use rustls::HandshakeKind;

use super::*;

fn unverified(server: &Server) -> Client {
    Client::new(server.endpoint(Trust::Unverified), credentials()).unwrap()
}

#[tokio::test]
async fn a_burst_of_reads_takes_turns_on_few_connections() {
    let server = Server::with_tls(|_, _| None, true).await;
    let client = unverified(&server);
    for _ in 0..5 {
        list(&client).await.unwrap();
    }
    assert_eq!(server.connections.borrow().0, 1, "the login's, too");
    futures::future::join_all((0..20).map(|_| list(&client))).await;
    // The pool may begin one that it does not need in the end, because another became free.
    let opened = server.connections.borrow().0;
    assert!(opened <= 8, "{opened} connections for four reads at a time");
}

#[tokio::test]
async fn the_connection_of_a_mutation_resumes_the_tls_session_of_the_reads() {
    let server = Server::with_tls(|_, _| None, true).await;
    let client = unverified(&server);
    list(&client).await.unwrap();
    for _ in 0..3 {
        assert_eq!(backup(&client).await, Answer::Applied);
    }
    let mut expected = vec![HandshakeKind::Full];
    expected.extend([HandshakeKind::Resumed; 3]);
    assert_eq!(*server.handshakes.lock().unwrap(), expected);
}

#[tokio::test]
async fn a_connection_that_nobody_fires_is_closed_without_a_request() {
    let server = Server::with_tls(|_, _| None, true).await;
    let client = unverified(&server);
    list(&client).await.unwrap();
    let before = server.hits.lock().unwrap().len();
    // More of them than reads may be in flight: they do not wait for each other.
    let armed = (0..8).map(|_| client.arm(Mutation::Remove(TaskId(5))));
    let armed: Vec<Armed> = futures::future::try_join_all(armed).await.unwrap();
    let mut connections = server.connections.clone();
    connections.wait_for(|(opened, _)| *opened == 9).await.unwrap();
    assert_eq!(connections.borrow().1, 0);
    list(&client).await.unwrap();
    drop(armed);
    connections.wait_for(|(_, closed)| *closed == 8).await.unwrap();
    let hits = server.hits.lock().unwrap();
    assert_eq!(hits.len(), before + 1);
    assert!(hits.iter().all(|hit| !hit.call.contains("remove")));
}

#[tokio::test]
async fn a_tls_connection_closed_while_an_intent_was_written_sends_nothing() {
    let (acceptor, _) = acceptor();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Endpoint {
        url: format!("https://{}", listener.local_addr().unwrap())
            .parse()
            .unwrap(),
        trust: Trust::Unverified,
        request_timeout: 5 * SECOND,
        list_timeout: 5 * SECOND,
    };
    let client = Client::new(endpoint, credentials()).unwrap();
    for is_announced in [true, false] {
        let session = Arc::new(session::Session::new(SecretString::from("s"), None, false));
        let open = armed::open(client.clone(), session, Mutation::Backup(TaskId(5)).request());
        let accept = async {
            let (tcp, _) = listener.accept().await.unwrap();
            acceptor.accept(tcp).await.unwrap()
        };
        let (armed, mut tls) = tokio::join!(open, accept);
        if is_announced {
            tokio::io::AsyncWriteExt::shutdown(&mut tls).await.unwrap();
        }
        drop(tls);
        // The runtime looks at its sockets when it has nothing else to do.
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(
            armed.unwrap().send(5 * SECOND).await,
            Answer::NotSent,
            "{is_announced}"
        );
    }
}
