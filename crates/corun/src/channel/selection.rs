//! Selecting among operations on several channels.
//!
//! # Protocol
//! In passes, of which the first is enough if anything is ready:
//! 1. Try the arms, in random order: the first that is ready is selected. A uniformly random permutation, so that each of the ready arms is
//!    selected with the same probability. (A random start among neighbours would favour those behind the arms that are not ready.)
//! 2. Link a node for each arm at its channel, looking once more under that channel's lock. If an arm is ready by now, or the select was
//!    decided meanwhile, stop there.
//! 3. Wait. 4. Unlink the nodes that are still linked.
//!
//! # Invariants
//! - All nodes share one party, a word that leaves its state once. Whoever meets a node under a channel's lock decides the party for it or unlinks
//!   it as dead. The owner decides it for itself when it finds an arm ready in pass 2, or when its time is up; then it starts again, or returns.
//! - Nobody holds two locks, but for one look at all channels in the order of their addresses, before a select gives up; and nobody decides two parties: a select tries in pass 1 only, when nobody can find it. So selects that meet
//!   each other need no order among channels; who is aborted for the other's sake finds that one in its next pass 1.
//! - An arm takes no notice of nodes of its own party: a select never meets itself.
//! - A receive that was selected has its message already, in the [`Token`]: nobody waits for a select that received. A send is a
//!   [`Commitment`] until the message comes.
//! - A wait without deadline is ended by one notification, that of whoever decided the party: so its signal is sole.
//!
//! # Rejected designs
//! - Locking all channels in order of address, as Go does: two passes of n atomic exchanges, where pass 1 needs as many as it looks at arms.
//! - A block on the heap for each select, counted by the nodes: an allocation per select, and nodes that stay behind.
//!
//! Checked in every interleaving by `tests/models/channel`.

use std::alloc::{self, Layout};
use std::cell::Cell;
use std::mem::{self, MaybeUninit};
use std::ptr::{self, NonNull};
use std::slice;
use std::time::Instant;

use super::commit::Commitment;
use super::core::Take;
use super::receiver::{Receiver, Source, instant};
use super::sender::Sender;
use super::waiter::{Party, Role, State, Waiter};
use crate::cancel::limit::Limit;
use crate::scheduler::give_way;
use crate::time::now;

/// An operation that can be selected.
pub trait SelectHandle {
    /// Pass 1: does the operation, if it is ready. A message may have to be waited for that a select has committed itself to.
    #[doc(hidden)]
    fn attempt(&self, token: &mut Token, deadline: Option<Instant>) -> bool;

    /// Is the operation ready?
    #[doc(hidden)]
    fn is_ready(&self) -> bool;

    /// Where the channel is, if others can make it ready; or zero.
    #[doc(hidden)]
    fn address(&self) -> usize;

    /// Can one send, or receive, at this channel, or does the rest hold? The channel is locked meanwhile.
    #[doc(hidden)]
    fn ready_or(&self, send: bool, receive: bool, rest: &mut dyn FnMut() -> bool) -> bool;

    /// When the operation will be ready by itself.
    #[doc(hidden)]
    fn due(&self) -> Option<Instant>;

    #[doc(hidden)]
    fn role(&self, watch: bool) -> Role;

    /// The layout of the message that it receives.
    #[doc(hidden)]
    fn message(&self) -> Layout;

    /// Pass 2: links a node, or returns that the arm is ready.
    #[doc(hidden)]
    fn enlist(&self, node: &Waiter, party: &Party) -> bool;

    /// Pass 4: unlinks a node, unless its outcome is decided.
    #[doc(hidden)]
    fn delist(&self, node: &Waiter) -> bool;

    /// Takes back what was selected and not done.
    #[doc(hidden)]
    fn abandon(&self, token: &mut Token);
}

/// How many bytes of a message a [`Token`] has room for. Larger ones get a block of the heap.
const INLINE: usize = 32;

#[repr(align(16))]
struct Inline(MaybeUninit<[u8; INLINE]>);

/// What an operation that was selected has got so far.
pub struct Token {
    pub(super) outcome: Outcome,
    /// Room that somebody else keeps ready, and what fits into it.
    room: *mut u8,
    room_layout: Layout,
    inline: Inline,
    large: Option<Large>,
}

pub(super) enum Outcome {
    Nothing,
    /// A receive: the message is there.
    Received,
    /// A receive: the channel is disconnected.
    Disconnected,
    Send(Commitment),
}

/// Room for a large message.
struct Large {
    block: NonNull<u8>,
    layout: Layout,
}

impl Drop for Large {
    fn drop(&mut self) {
        // SAFETY: it came from `alloc` with this layout.
        unsafe { alloc::dealloc(self.block.as_ptr(), self.layout) };
    }
}

impl Token {
    #[inline(always)]
    pub(super) fn new() -> Token {
        // SAFETY: nothing fits into it.
        unsafe { Token::with_room(ptr::null_mut(), Layout::new::<()>()) }
    }

    /// # Safety
    /// What fits into the layout can be written to `room`, as long as the token lives.
    #[inline(always)]
    pub(super) unsafe fn with_room(room: *mut u8, room_layout: Layout) -> Token {
        Token {
            outcome: Outcome::Nothing,
            room,
            room_layout,
            inline: Inline(MaybeUninit::uninit()),
            large: None,
        }
    }

    #[inline(always)]
    fn fits_room(&self, message: Layout) -> bool {
        message.size() <= self.room_layout.size()
            && message.align() <= self.room_layout.align()
            && !self.room.is_null()
    }

    /// Is there room without a block of the heap?
    #[inline(always)]
    fn fits(&self, message: Layout) -> bool {
        message.size() <= INLINE && message.align() <= align_of::<Inline>()
            || self.fits_room(message)
    }

    /// Where a message of this layout lies; there must be room for it.
    #[inline(always)]
    fn slot(&mut self, message: Layout) -> *mut u8 {
        if self.fits_room(message) {
            return self.room;
        }
        match &self.large {
            Some(large) if !self.fits(message) => large.block.as_ptr(),
            _ => self.inline.0.as_mut_ptr().cast(),
        }
    }

    /// Makes room for messages of this layout as well.
    fn make_room(&mut self, message: Layout) {
        if self.fits(message) {
            return;
        }
        let mut layout = message;
        if let Some(large) = self.large.take() {
            if large.layout.size() >= message.size() && large.layout.align() >= message.align() {
                self.large = Some(large);
                return;
            }
            let size = message.size().max(large.layout.size());
            layout = match Layout::from_size_align(size, message.align().max(large.layout.align()))
            {
                Ok(layout) => layout,
                Err(_) => alloc::handle_alloc_error(message),
            };
        }
        // SAFETY: what does not fit has a size, or at least an alignment, that `max` keeps from being zero.
        let layout = if layout.size() == 0 {
            Layout::new::<Inline>()
                .align_to(layout.align())
                .unwrap_or(layout)
        } else {
            layout
        };
        // SAFETY: the layout has a size.
        let Some(block) = NonNull::new(unsafe { alloc::alloc(layout) }) else {
            alloc::handle_alloc_error(layout);
        };
        self.large = Some(Large { block, layout });
    }

    /// The message of a receive that was selected.
    ///
    /// # Safety
    /// The operation received a `T`, and the message was not taken out.
    pub(super) unsafe fn take_message<T>(&mut self) -> T {
        self.outcome = Outcome::Nothing;
        // SAFETY: as promised.
        unsafe { self.slot(Layout::new::<T>()).cast::<T>().read() }
    }
}

impl<T> SelectHandle for Sender<T> {
    fn attempt(&self, token: &mut Token, _deadline: Option<Instant>) -> bool {
        let Some(commitment) = self.chan().commit() else {
            return false;
        };
        token.outcome = Outcome::Send(commitment);
        true
    }

    fn is_ready(&self) -> bool {
        self.chan().can_send()
    }

    fn address(&self) -> usize {
        ptr::from_ref(self.chan()).addr()
    }

    fn ready_or(&self, send: bool, receive: bool, rest: &mut dyn FnMut() -> bool) -> bool {
        self.chan().ready_or(send, receive, rest)
    }

    fn due(&self) -> Option<Instant> {
        None
    }

    fn role(&self, watch: bool) -> Role {
        if watch { Role::WatchSend } else { Role::Send }
    }

    fn message(&self) -> Layout {
        Layout::new::<()>()
    }

    fn enlist(&self, node: &Waiter, party: &Party) -> bool {
        // SAFETY: see `wait_for_arms`.
        unsafe { self.chan().enlist(node, party) }
    }

    fn delist(&self, node: &Waiter) -> bool {
        self.chan().delist(node)
    }

    fn abandon(&self, token: &mut Token) {
        if let Outcome::Send(commitment) = mem::replace(&mut token.outcome, Outcome::Nothing) {
            self.chan().renounce(commitment);
        }
    }
}

impl<T> SelectHandle for Receiver<T> {
    fn attempt(&self, token: &mut Token, deadline: Option<Instant>) -> bool {
        let layout = Layout::new::<T>();
        match self.source() {
            Source::Chan(chan) => {
                if !token.fits(layout) {
                    if !chan.can_receive() {
                        return false;
                    }
                    token.make_room(layout);
                }
                let slot = token.slot(layout).cast::<T>();
                let inner = match chan.pop() {
                    Ok(message) => {
                        // SAFETY: there is room for a message.
                        unsafe { slot.write(message) };
                        token.outcome = Outcome::Received;
                        return true;
                    }
                    Err(inner) => inner,
                };
                // SAFETY: as above.
                let mut taken = unsafe { chan.take(inner, slot, None) };
                if let Take::NeedsWaiter = taken {
                    // SAFETY: as above.
                    taken = unsafe { chan.take_of_select(slot, deadline) };
                }
                token.outcome = match taken {
                    Take::Received => Outcome::Received,
                    Take::Closed => Outcome::Disconnected,
                    _ => return false,
                };
                true
            }
            Source::Clock(clock) => {
                let Ok(now) = clock.try_recv() else {
                    return false;
                };
                token.make_room(layout);
                // SAFETY: the messages of a clock are instants, for which there is room.
                unsafe { token.slot(layout).cast::<T>().write(instant(now)) };
                token.outcome = Outcome::Received;
                true
            }
            Source::Never => false,
        }
    }

    fn is_ready(&self) -> bool {
        match self.source() {
            Source::Chan(chan) => chan.can_receive(),
            Source::Clock(clock) => clock.is_due(),
            Source::Never => false,
        }
    }

    fn address(&self) -> usize {
        match self.source() {
            Source::Chan(chan) => ptr::from_ref(chan).addr(),
            Source::Clock(_) | Source::Never => 0,
        }
    }

    fn ready_or(&self, send: bool, receive: bool, rest: &mut dyn FnMut() -> bool) -> bool {
        match self.source() {
            Source::Chan(chan) => chan.ready_or(send, receive, rest),
            Source::Clock(_) | Source::Never => rest(),
        }
    }

    fn due(&self) -> Option<Instant> {
        match self.source() {
            Source::Clock(clock) => clock.due(),
            Source::Chan(_) | Source::Never => None,
        }
    }

    fn role(&self, watch: bool) -> Role {
        if watch {
            Role::WatchReceive
        } else {
            Role::Receive
        }
    }

    fn message(&self) -> Layout {
        Layout::new::<T>()
    }

    fn enlist(&self, node: &Waiter, party: &Party) -> bool {
        match self.source() {
            // SAFETY: see `wait_for_arms`.
            Source::Chan(chan) => unsafe { chan.enlist(node, party) },
            Source::Clock(_) | Source::Never => true,
        }
    }

    fn delist(&self, node: &Waiter) -> bool {
        match self.source() {
            Source::Chan(chan) => chan.delist(node),
            Source::Clock(_) | Source::Never => true,
        }
    }

    fn abandon(&self, token: &mut Token) {
        if let Outcome::Received = token.outcome {
            // SAFETY: the operation received a `T`.
            let message = mem::ManuallyDrop::new(unsafe { token.take_message::<T>() });
            match self.source() {
                // SAFETY: the message is moved.
                Source::Chan(chan) => unsafe { chan.put_back(&raw const *message) },
                Source::Clock(_) | Source::Never => {}
            }
        }
    }
}

/// One arm: the operation, and the index by which the caller knows it.
pub type Arm<'a> = (&'a dyn SelectHandle, usize);

/// How long to wait.
#[derive(Clone, Copy)]
pub(super) enum Patience {
    None,
    Until(Instant),
    Endless,
}

impl Patience {
    fn deadline(self) -> Option<Instant> {
        match self {
            Patience::Until(deadline) => Some(deadline),
            _ => None,
        }
    }

    fn is_over(self) -> bool {
        match self {
            Patience::None => true,
            Patience::Until(deadline) => now() >= deadline,
            Patience::Endless => false,
        }
    }
}

/// A random number. Not inlined, as the address of a thread-local must not be kept across suspensions.
#[inline(never)]
fn random_bits() -> u64 {
    thread_local! {
        static STATE: Cell<u64> = const { Cell::new(0) };
    }
    let mut state = STATE.get();
    if state == 0 {
        // An address of this thread's is as good as any start.
        state = (&raw const state).addr() as u64 ^ 0x9e37_79b9_7f4a_7c15;
    }
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    STATE.set(state);
    state >> 32
}

/// A random number below `bound`, which is not zero.
#[inline(always)]
fn random(bound: usize) -> usize {
    ((random_bits() * bound as u64) >> 32) as usize
}

/// Pass 1 for a known number of arms: the first of a random permutation for which `attempt` succeeds, or `N`.
#[inline(always)]
pub fn first<const N: usize>(biased: bool, mut attempt: impl FnMut(usize) -> bool) -> usize {
    if N == 2 && !biased {
        let one = (random_bits() & 1) as usize;
        if attempt(one) {
            return one;
        }
        return if attempt(1 - one) { 1 - one } else { N };
    }
    let mut order: [usize; N] = std::array::from_fn(|i| i);
    for i in 0..N {
        if !biased && i + 1 < N {
            order.swap(i, i + random(N - i));
        }
        if attempt(order[i]) {
            return order[i];
        }
    }
    N
}

/// The first arm of a random permutation for which something holds. The arms stay where they are: moved in memory, they would be
/// read again in other pieces than they were written in, which takes longer than all the rest of a select.
#[inline(always)]
fn first_of<'a>(
    arms: &[Arm<'a>],
    biased: bool,
    mut holds: impl FnMut(&'a dyn SelectHandle) -> bool,
) -> Option<usize> {
    if biased {
        return arms.iter().position(|arm| holds(arm.0));
    }
    if arms.len() > PACKED {
        return first_of_many(arms, holds);
    }
    // The indices of the arms that are left, four bits each.
    let mut order = 0xfedc_ba98_7654_3210_u64;
    for left in (1..=arms.len()).rev() {
        let at = 4 * random(left);
        let index = (order >> at & 0xf) as usize;
        let after = order & (u64::MAX << at);
        order ^= after ^ (after >> 4 & (u64::MAX << at));
        if holds(arms[index].0) {
            return Some(index);
        }
    }
    None
}

/// How many arms have their order in one word.
const PACKED: usize = 16;

#[cold]
fn first_of_many<'a>(
    arms: &[Arm<'a>],
    mut holds: impl FnMut(&'a dyn SelectHandle) -> bool,
) -> Option<usize> {
    let mut order: Vec<usize> = (0..arms.len()).collect();
    for i in 0..order.len() {
        order.swap(i, i + random(arms.len() - i));
        if holds(arms[order[i]].0) {
            return Some(order[i]);
        }
    }
    None
}

fn shuffle(arms: &mut [Arm<'_>]) {
    for i in 1..arms.len() {
        arms.swap(i, random(i + 1));
    }
}

/// Selects an arm: where in `arms` it stands, and what it has got. `None` if there was none to be had in time. Pass 1 is left out if the arms
/// have been `tried`.
pub(super) fn select(
    arms: &mut [Arm<'_>],
    patience: Patience,
    biased: bool,
    mut tried: bool,
    token: &mut Token,
) -> Option<usize> {
    if arms.is_empty() {
        return wait_for_nothing(patience);
    }
    let mut gave_way = false;
    loop {
        let deadline = patience.deadline();
        if !tried && let Some(arm) = first_of(arms, biased, |arm| arm.attempt(token, deadline)) {
            return Some(arm);
        }
        tried = false;
        if patience.is_over() {
            if any_ready(arms) {
                continue;
            }
            return None;
        }
        // If somebody else is ready, it may well make an arm ready: a turn costs less than to wait and to be woken.
        if !mem::replace(&mut gave_way, true) && give_way() {
            continue;
        }
        if !biased {
            // Who comes takes the first node at its channel, which may have several; so the nodes need a random order as well.
            shuffle(arms);
        }
        if let Some(arm) = with_nodes(arms, |arms, nodes| {
            wait_for_arms(arms, nodes, deadline, false, token)
        }) {
            return Some(arm);
        }
    }
}

/// Waits until an arm is ready: where in `arms` it stands.
pub(super) fn ready(arms: &mut [Arm<'_>], patience: Patience, biased: bool) -> Option<usize> {
    if arms.is_empty() {
        return wait_for_nothing(patience);
    }
    loop {
        if let Some(arm) = first_of(arms, biased, |arm| arm.is_ready()) {
            return Some(arm);
        }
        if patience.is_over() {
            if any_ready(arms) {
                continue;
            }
            return None;
        }
        // That somebody said so does not mean that it still is.
        let deadline = patience.deadline();
        with_nodes(arms, |arms, nodes| {
            wait_for_arms(arms, nodes, deadline, true, &mut Token::new())
        });
    }
}

/// How many arms are looked at together; more would take too much stack.
const TOGETHER: usize = 64;

/// Is there no moment at which none of the arms is ready? To have tried one after the other does not say so: one may have got ready behind our
/// back, and another, still before us, ceased to be. So nobody may give up before this has said no.
#[cold]
fn any_ready(arms: &[Arm<'_>]) -> bool {
    arms.len() > 1 && arms.len() <= TOGETHER && any_ready_above(arms, 0)
}

/// As `any_ready`, of the channels above an address. In the order of addresses, so that two who do this cannot hold up each other.
fn any_ready_above(arms: &[Arm<'_>], lowest: usize) -> bool {
    let above = arms.iter().filter(|arm| arm.0.address() > lowest);
    let Some(next) = above.min_by_key(|arm| arm.0.address()) else {
        return false;
    };
    let address = next.0.address();
    let here = || arms.iter().filter(|arm| arm.0.address() == address);
    let sends = here().any(|arm| arm.0.role(false) == Role::Send);
    let receives = here().any(|arm| arm.0.role(false) == Role::Receive);
    next.0
        .ready_or(sends, receives, &mut || any_ready_above(arms, address))
}

#[cold]
fn wait_for_nothing(patience: Patience) -> Option<usize> {
    match patience {
        Patience::None => {}
        Patience::Until(deadline) => crate::time::sleep_until(deadline),
        Patience::Endless => super::clock::wait_for_ever(),
    }
    None
}

type Nodes<'n> = &'n mut [MaybeUninit<Waiter>];

/// Lends room for as many nodes as there are arms.
fn with_nodes<'a, R>(arms: &mut [Arm<'a>], body: impl FnOnce(&mut [Arm<'a>], Nodes<'_>) -> R) -> R {
    match arms.len() {
        0..=4 => body(arms, &mut [const { MaybeUninit::uninit() }; 4]),
        5..=32 => body(arms, &mut [const { MaybeUninit::uninit() }; 32]),
        len => {
            let mut nodes = Vec::with_capacity(len);
            nodes.resize_with(len, MaybeUninit::uninit);
            body(arms, &mut nodes)
        }
    }
}

/// Passes 2 to 4. `None` if the arms are to be tried once more, or the time is up.
#[inline(never)]
fn wait_for_arms(
    arms: &mut [Arm<'_>],
    nodes: Nodes<'_>,
    deadline: Option<Instant>,
    watch: bool,
    token: &mut Token,
) -> Option<usize> {
    let deadline = arms
        .iter()
        .filter_map(|arm| arm.0.due())
        .chain(deadline)
        .min();
    let limit = Limit::new(deadline);
    if !watch {
        for arm in arms.iter() {
            token.make_room(arm.0.message());
        }
    }
    let signal = limit.signal();
    let party = Party::new();
    let mut linked = 0;
    let mut ready = false;
    for (index, (arm, _)) in arms.iter().enumerate() {
        let role = arm.role(watch);
        let slot = match role {
            Role::Receive => token.slot(arm.message()),
            _ => ptr::null_mut(),
        };
        let node = nodes[index].write(Waiter::arm(role, &signal, slot, &party, index as u32));
        // The node stays until it is unlinked below, and nothing in between can unwind.
        if !arm.enlist(node, &party) {
            ready = true;
            break;
        }
        linked += 1;
        if party.decided().is_some() {
            break;
        }
    }
    // SAFETY: these were written above, and are not moved.
    let nodes = unsafe { slice::from_raw_parts(nodes.as_ptr().cast::<Waiter>(), linked) };
    let unlink = |but: Option<usize>| {
        for (index, node) in nodes.iter().enumerate() {
            if Some(index) != but {
                arms[index].0.delist(node);
            }
        }
    };
    if ready && party.abort() {
        unlink(None);
        return None;
    }
    let decided = || match party.decided() {
        Some(decided) => decided as usize,
        None => unreachable!("whoever ends the wait of a select decides its party"),
    };
    let mut aborted = false;
    limit.wait(&signal, || {
        // If it was decided at the last moment, its outcome is told under the lock, or is waited for.
        aborted = party.abort();
        aborted || arms[decided()].0.delist(&nodes[decided()])
    });
    if aborted {
        unlink(None);
        limit.expired();
        return None;
    }
    let decided = decided();
    unlink(Some(decided));
    let node = &nodes[decided];
    token.outcome = match (node.state.get(), node.role) {
        (State::Done, Role::Receive) => Outcome::Received,
        (State::Closed, Role::Receive) => Outcome::Disconnected,
        (State::Done, Role::Send) if node.ticket.get() == 0 => Outcome::Send(Commitment::Place),
        (State::Done, Role::Send) => Outcome::Send(Commitment::Ticket(node.ticket.get())),
        (State::Closed, Role::Send) => Outcome::Send(Commitment::Closed),
        // A claim that was given up; or a watcher, who looks again by itself.
        _ => return None,
    };
    Some(decided)
}
