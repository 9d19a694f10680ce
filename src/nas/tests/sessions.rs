//! What a client without logins of its own does where there is no session, or one that is over.

use super::*;

/// A call that logs in where there is no session; the server has no answer to it.
async fn log_in(client: &Client) {
    assert_eq!(client.dsm_info().await.unwrap_err().label(), "unexpected");
}

#[tokio::test]
async fn a_client_without_renewal_tells_and_leaves_no_session() {
    for expired in [106, 107, 119, 150, 105] {
        let server = Server::start(move |call, nth| (call == LIST && nth == 1).then(|| code(expired))).await;
        let client = server.client();
        let told = client.clone().without_renewal();
        let over = |error: Error| {
            assert!(error.is_session_over() && !error.is_refused_login(), "{error}");
        };
        over(list(&told).await.unwrap_err());
        over(told.arm(Mutation::Backup(TaskId(5))).await.unwrap_err());
        assert_eq!(server.hits.lock().unwrap().len(), 0, "no session, no request");
        list(&client).await.unwrap();
        over(list(&told).await.unwrap_err());
        over(told.list_activity().await.unwrap_err());
        assert_eq!((server.count(LOGIN), server.count(LIST)), (1, 2), "{expired}");
        log_in(&client).await;
        list(&told).await.unwrap();
        assert_eq!((server.count(LOGIN), server.count(LIST)), (2, 3));
    }
}

#[tokio::test]
async fn a_client_without_renewal_takes_a_missing_right_for_a_session_three_times_at_most() {
    let server = Server::start(|call, _| (call == LIST).then(|| code(105))).await;
    let client = server.client();
    let told = client.clone().without_renewal();
    let mut overs = 0;
    for _ in 0..10 {
        log_in(&client).await;
        match list(&told).await.unwrap_err() {
            error if error.is_session_over() => overs += 1,
            error => assert_eq!(error.label(), "permission_denied"),
        }
    }
    assert_eq!(
        (overs, server.count(LOGIN)),
        (1, 2),
        "the second session was opened because of it"
    );
}

#[tokio::test]
async fn a_client_without_logins_leaves_the_session_to_others() {
    let server = Server::start(|call, nth| (call == LIST && nth < 2).then(|| code(119))).await;
    let client = server.client();
    let guest = client.clone().without_login();
    assert!(list(&guest).await.unwrap_err().is_session_over());
    log_in(&client).await;
    assert_eq!(list(&guest).await.unwrap_err().code(), Some(119));
    assert_eq!(server.count(LOGIN), 1);
    list(&client).await.unwrap();
    assert_eq!(
        (server.count(LOGIN), server.count(LIST)),
        (2, 3),
        "it met the same answer"
    );
}

#[tokio::test]
async fn several_calls_that_meet_105_at_once_count_as_one() {
    // All of them are refused in each session but the last.
    let server = Server::start(|call, nth| match call {
        LIST | "ActiveBackup.Overview list_activity" if nth < 1 => Some(code(105)),
        "ActiveBackup.Overview list_activity" => Some(ok(r#"{"activity_list":[],"total":0}"#)),
        _ => None,
    })
    .await;
    let client = server.client();
    log_in(&client).await;
    let (tasks, queue) = tokio::join!(list(&client), client.list_activity());
    assert!(tasks.is_ok() && queue.is_ok());
    assert_eq!(server.count(LOGIN), 2);
}
