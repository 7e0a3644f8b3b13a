//! Frames, and messages other than trades and quotes.

use algospace_hft_rithmic::wire::rti::messages::RithmicMessage;
use algospace_hft_rithmic::wire::{
    Incoming, LONGEST, Verdict, WireError, body, decode, decode_message, encode, encode_body,
    messages, rti,
};

fn all(frame: &[u8]) -> Vec<Result<&[u8], WireError>> {
    messages(frame).collect()
}

#[test]
fn f13_frames_that_are_wrong_are_errors_and_no_panic() {
    assert_eq!(all(&[]), [Err(WireError::Truncated)]);
    assert_eq!(all(&[0, 0, 0]), [Err(WireError::Truncated)]);
    assert_eq!(all(&[0, 0, 0, 2, 7]), [Err(WireError::Truncated)]);
    assert_eq!(all(&[0xb2, 0xd0, 0x5e, 0, 1]), [Err(WireError::Giant)], "3 GB");
    let longest = (LONGEST as u32 + 1).to_be_bytes();
    assert_eq!(all(&longest), [Err(WireError::Giant)]);
    assert_eq!(all(&[0, 0, 0, 1, 7]), [Ok(&[7][..])]);
    let two = [0, 0, 0, 1, 7, 0, 0, 0, 0, 0, 0, 0, 9];
    assert_eq!(all(&two), [Ok(&[7][..]), Ok(&[][..]), Err(WireError::Truncated)]);
    assert_eq!(decode(&[]).unwrap_err(), WireError::NoTemplate);
    assert_eq!(decode(b"a text, which no gateway sends").unwrap_err(), WireError::Key);
}

#[test]
fn f13_an_unknown_template_is_passed_on_and_counted() {
    // 358 is known by now; 359 is the newcomer here.
    let account = rti::UserAccountUpdate::default();
    let mut bytes = body(&account);
    let known = decode_message(358, &bytes).unwrap();
    assert!(matches!(known, Some(RithmicMessage::UserAccountUpdate(_))));
    let end = bytes.len();
    bytes[end - 2..].copy_from_slice(&[359_u16 as u8 | 0x80, (359 >> 7) as u8]);
    let Ok(Incoming::Other(envelope, whole)) = decode(&bytes) else { panic!("{bytes:?}") };
    assert_eq!((envelope.template, whole), (359, &bytes[..]));
    assert!(matches!(decode_message(359, &bytes), Ok(None)));
}

#[test]
fn an_answer_says_which_request_it_answers_and_how() {
    let verdict = |codes: &[&str], more: &[&str]| {
        let mut answer = rti::ResponseTickBarReplay::default();
        answer.rp_code = codes.iter().map(|&code| code.to_owned()).collect();
        answer.rq_handler_rp_code = more.iter().map(|&code| code.to_owned()).collect();
        answer.user_msg = vec!["4711".to_owned(), "12".to_owned()];
        let frame = encode(&answer, None);
        let Ok(Incoming::Other(envelope, _)) = decode(&frame[4..]) else { panic!() };
        assert_eq!((envelope.template, envelope.request), (207, Some(4711)));
        assert_eq!(envelope.code, codes.first().copied());
        envelope.verdict()
    };
    assert_eq!(verdict(&[], &["0"]), Verdict::More);
    assert_eq!(verdict(&["0"], &["0"]), Verdict::Done);
    assert_eq!(verdict(&["0"], &[]), Verdict::Done);
    assert_eq!(verdict(&["7", "no data"], &[]), Verdict::Empty);
    assert_eq!(verdict(&["7", "no handle"], &[]), Verdict::Refused);
    assert_eq!(verdict(&["13", "permission denied"], &[]), Verdict::Refused);
}

#[test]
fn a_request_is_encoded_with_its_template_and_its_number() {
    use algospace_hft_rithmic::wire::prost::Message as _;
    let mut request = rti::RequestMarketDataUpdate::default();
    request.symbol = Some("ESZ6".to_owned());
    for frame in [encode(&request, Some(99)), encode_body(&body(&request), Some(99))] {
        assert_eq!(frame[..4], (frame.len() as u32 - 4).to_be_bytes());
        let decoded = rti::RequestMarketDataUpdate::decode(&frame[4..]).unwrap();
        assert_eq!((decoded.template_id, &decoded.user_msg[..]), (100, &["99".to_owned()][..]));
        assert_eq!(decoded.symbol.as_deref(), Some("ESZ6"));
    }
}
