use algospace_hft_rithmic::wire::{agreement, messages};

/// Reads the bytes as a frame, as a message, and as a last trade and a quote: both decoders agree.
pub fn rithmic_frame(bytes: &[u8]) {
    for message in messages(bytes).flatten() {
        agreement::check(message);
    }
    agreement::check(bytes);
    // Field 154467, the template, with 150 and 151.
    for template in [0x96, 0x97] {
        let mut message = bytes.to_vec();
        message.extend([0x98, 0xb6, 0x4b, template, 0x01]);
        agreement::check(&message);
    }
}
