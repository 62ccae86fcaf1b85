//! What is said over the Unix socket: one byte at a time, some with a descriptor.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

/// A listening socket comes along.
pub(super) const LISTENER: u8 = b'L';
/// There are no more of them. The byte stands for this way of speaking, should there ever be another.
pub(super) const END: u8 = b'1';
/// The next process serves.
pub(super) const SERVING: u8 = b'S';

/// Says one byte.
pub(super) fn say(stream: &UnixStream, word: u8, with: Option<BorrowedFd<'_>>) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut along = SendAncillaryBuffer::new(&mut space);
    let descriptors: Vec<BorrowedFd<'_>> = with.into_iter().collect();
    if !descriptors.is_empty() && !along.push(SendAncillaryMessage::ScmRights(&descriptors)) {
        return Err(io::ErrorKind::OutOfMemory.into());
    }
    let sent = sendmsg(
        stream,
        &[IoSlice::new(&[word])],
        &mut along,
        SendFlags::NOSIGNAL,
    )?;
    match sent {
        1 => Ok(()),
        _ => Err(io::ErrorKind::WriteZero.into()),
    }
}

/// The next byte, and the descriptor that came with it.
pub(super) fn hear(stream: &UnixStream) -> io::Result<(u8, Option<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut along = RecvAncillaryBuffer::new(&mut space);
    let mut word = [0];
    let heard = recvmsg(
        stream.as_fd(),
        &mut [IoSliceMut::new(&mut word)],
        &mut along,
        RecvFlags::CMSG_CLOEXEC,
    )?;
    if heard.bytes == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut descriptor = None;
    for message in along.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = message {
            descriptor = descriptors.last();
        }
    }
    Ok((word[0], descriptor))
}
