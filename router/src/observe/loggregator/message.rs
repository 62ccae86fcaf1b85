//! Protobuf's encoding, as far as Dropsonde needs it.

use uuid::Uuid;

/// A message that is being written.
pub(super) struct Message<'a>(pub(super) &'a mut Vec<u8>);

/// How a field's value is written.
mod wire {
    pub(super) const VARINT: u32 = 0;
    pub(super) const FIXED: u32 = 1;
    pub(super) const BYTES: u32 = 2;
}

impl Message<'_> {
    #[inline]
    pub(super) fn number(&mut self, field: u32, value: u64) {
        self.head(field, wire::VARINT, value);
    }

    #[inline]
    pub(super) fn double(&mut self, field: u32, value: f64) {
        self.varint(u64::from(field << 3 | wire::FIXED));
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    #[inline]
    pub(super) fn bytes(&mut self, field: u32, value: &[u8]) {
        self.head(field, wire::BYTES, value.len() as u64);
        self.0.extend_from_slice(value);
    }

    /// Readers may refuse a text that is not UTF-8; what is not is replaced.
    #[inline]
    pub(super) fn text(&mut self, field: u32, value: &[u8]) {
        if value.is_ascii() {
            self.bytes(field, value);
        } else {
            self.mended(field, value);
        }
    }

    #[cold]
    fn mended(&mut self, field: u32, value: &[u8]) {
        self.bytes(field, String::from_utf8_lossy(value).as_bytes());
    }

    /// The sixteen bytes as two little-endian words.
    pub(super) fn uuid(&mut self, field: u32, id: Uuid) {
        let words = id.as_u128().swap_bytes();
        // Two fields of at most eleven bytes: the length is one byte, and known when they are there.
        self.head(field, wire::BYTES, 0);
        let start = self.0.len();
        self.number(1, words as u64);
        self.number(2, (words >> 64) as u64);
        let length = self.0.len() - start;
        if let Some(place) = self.0.get_mut(start - 1) {
            *place = length as u8;
        }
    }

    /// A field's key, and the number behind it: the value or its length.
    #[inline]
    fn head(&mut self, field: u32, wire: u32, number: u64) {
        let key = field << 3 | wire;
        if key < 0x80 && number < 0x80 {
            self.0.extend_from_slice(&[key as u8, number as u8]);
        } else {
            self.varint(u64::from(key));
            self.varint(number);
        }
    }

    #[inline]
    fn varint(&mut self, value: u64) {
        if value < 0x80 {
            self.0.push(value as u8);
        } else {
            self.long_varint(value);
        }
    }

    fn long_varint(&mut self, mut value: u64) {
        let mut text = [0; 10];
        let mut length = 0;
        for place in &mut text {
            *place = value as u8 | 0x80;
            length += 1;
            value >>= 7;
            if value == 0 {
                *place &= 0x7f;
                break;
            }
        }
        self.0.extend_from_slice(&text[..length]);
    }
}
