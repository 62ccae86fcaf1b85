//! What messages are put together of by chance: header lines and bodies, more or less right.

use super::dice::Dice;

/// In requests and in answers alike.
const LINES: &[&str] = &[
    "Content-Length: 5\r\n",
    "Content-Length: 0\r\n",
    "Content-Length: 5, 5\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: identity\r\n",
    "Transfer-Encoding : chunked\r\n",
    "Connection: keep-alive\r\n",
    "Connection: close\r\n",
    "Connection: content-length, transfer-encoding\r\n",
    "Upgrade: websocket\r\nConnection: Upgrade\r\n",
    "X-Mine: yes\r\n",
    " folded\r\n",
    "no colon\r\n",
];
const BODIES: &[&str] = &[
    "hello",
    "5\r\nhello\r\n0\r\n\r\n",
    "5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n",
    "5\r\nhello\r\n0\r\n",
    "0\r\n\r\n",
    "0\r\nContent-Length: 5\r\n\r\n",
    "5\nhello\r\n0\r\n\r\n",
    "ffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    "",
];
/// Ends of heads with what belongs to them.
const ENDS: &[&str] = &[
    "Content-Length: 5\r\n\r\nhello",
    "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "\r\n",
];

/// Pieces of one side's messages.
pub struct Pieces {
    lines: Vec<&'static str>,
    bodies: Vec<&'static str>,
    ends: Vec<&'static str>,
}

impl Pieces {
    /// The common ones and these.
    pub fn with(lines: &[&'static str], bodies: &[&'static str], ends: &[&'static str]) -> Pieces {
        Pieces {
            lines: [LINES, lines].concat(),
            bodies: [BODIES, bodies].concat(),
            ends: [ENDS, ends].concat(),
        }
    }

    /// Puts what stands behind a first line behind `text`: mostly what belongs together.
    pub fn finish(&self, dice: &mut Dice, text: &mut String) {
        for _ in 0..dice.roll(3) {
            *text += dice.pick(&self.lines);
        }
        *text += dice.pick(&self.ends);
        if dice.roll(3) == 0 {
            *text += dice.pick(&self.bodies);
        }
    }

    /// Damages the whole now and then.
    pub fn damage(&self, dice: &mut Dice, text: &mut String) {
        dice.damage(text, &[&self.lines, &self.bodies]);
    }
}
