//! The frames of a suspended coroutine, read from its stack by another flow of control of the same thread.
//!
//! Nothing runs on that stack, nothing is written: the unwind tables (`.eh_frame`) say where each frame has its caller's address and registers. They are
//! looked up, in all objects that are loaded, by the index that the linker makes (`.eh_frame_hdr`). The root of each stack declares its caller undefined,
//! which ends the walk; so does whatever the tables do not describe.
//!
//! Rejected: to switch to the coroutine and have it look at itself (it needs room on a stack that may have none, and dirties its pages).

use std::ops::Range;

use corun_context::raw::Context;

/// The return addresses of the frames of a context that is suspended on `stack`, the innermost first. Empty where the system's tables cannot be found.
///
/// # Safety
/// It is suspended, and stays so during the call.
pub(crate) unsafe fn frames(context: Context, stack: Range<usize>) -> Vec<usize> {
    #[cfg(target_os = "linux")]
    // SAFETY: the same contract.
    return imp::frames(unsafe { corun_context::raw::suspended_at(context) }, &stack);
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (context, stack);
        Vec::new()
    }
}

#[cfg(target_os = "linux")]
mod imp {
    use std::ffi::c_void;
    use std::ops::Range;
    use std::{ptr, slice};

    use corun_context::raw::SuspendedAt;
    use gimli::{
        BaseAddresses, CfaRule, EhFrame, EhFrameHdr, EndianSlice, NativeEndian, Pointer, Register,
        RegisterRule, UnwindContext, UnwindSection, UnwindTableRow,
    };

    /// Frames beyond are left out: the innermost ones are what tells.
    const MAX_FRAMES: usize = 64;

    type Reader = EndianSlice<'static, NativeEndian>;

    /// The registers' numbers in the tables.
    struct Numbers {
        stack_pointer: u16,
        frame_pointer: u16,
        base_pointer: u16,
        return_address: u16,
    }

    #[cfg(target_arch = "x86_64")]
    const NUMBERS: Numbers = Numbers {
        stack_pointer: 7,
        frame_pointer: 6,
        base_pointer: 3,
        return_address: 16,
    };
    #[cfg(target_arch = "aarch64")]
    const NUMBERS: Numbers = Numbers {
        stack_pointer: 31,
        frame_pointer: 29,
        base_pointer: 19,
        return_address: 30,
    };
    #[cfg(target_arch = "riscv64")]
    const NUMBERS: Numbers = Numbers {
        stack_pointer: 2,
        frame_pointer: 8,
        base_pointer: 9,
        return_address: 1,
    };

    /// As many as the widest of these machines has, for integers.
    const REGISTERS: usize = 33;

    #[derive(Clone)]
    struct Registers([Option<usize>; REGISTERS]);

    impl Registers {
        fn get(&self, number: u16) -> Option<usize> {
            *self.0.get(usize::from(number))?
        }

        fn set(&mut self, number: u16, value: Option<usize>) {
            if let Some(place) = self.0.get_mut(usize::from(number)) {
                *place = value;
            }
        }
    }

    pub(super) fn frames(at: SuspendedAt, stack: &Range<usize>) -> Vec<usize> {
        let mut registers = Registers([None; REGISTERS]);
        registers.set(NUMBERS.stack_pointer, Some(at.stack_pointer));
        registers.set(NUMBERS.frame_pointer, Some(at.frame_pointer));
        registers.set(NUMBERS.base_pointer, Some(at.base_pointer));
        let mut context = UnwindContext::new();
        let mut next = Some(at.program_counter);
        let mut frames = Vec::new();
        let mut object = None;
        while let Some(address) = next.filter(|address| *address != 0)
            && frames.len() < MAX_FRAMES
        {
            frames.push(address);
            next = step(address, &mut registers, &mut context, &mut object, stack);
        }
        frames
    }

    /// Goes to the caller of the frame in which `address` is the next instruction; returns the one in the caller.
    fn step(
        address: usize,
        registers: &mut Registers,
        context: &mut UnwindContext<usize>,
        object: &mut Option<Object>,
        stack: &Range<usize>,
    ) -> Option<usize> {
        // A call may be the last instruction of its function: what counts is where the call is.
        if !object
            .as_ref()
            .is_some_and(|object| object.code.contains(&(address - 1)))
        {
            *object = Object::of(address - 1);
        }
        let object = object.as_ref()?;
        let row = object.row(address - 1, context)?;
        let CfaRule::RegisterAndOffset { register, offset } = *row.cfa() else {
            return None;
        };
        let frame = registers
            .get(register.0)?
            .checked_add_signed(offset as isize)?;
        let before = registers.clone();
        for number in 0..REGISTERS as u16 {
            let value = match row.register(Register(number)) {
                None | Some(RegisterRule::SameValue) => continue,
                Some(RegisterRule::Offset(offset)) => {
                    read(frame.checked_add_signed(offset as isize)?, stack)
                }
                Some(RegisterRule::ValOffset(offset)) => frame.checked_add_signed(offset as isize),
                Some(RegisterRule::Register(other)) => before.get(other.0),
                Some(_) => None,
            };
            registers.set(number, value);
        }
        let caller = registers.get(NUMBERS.return_address)?;
        // The caller's own is not known before its tables were looked at.
        registers.set(NUMBERS.return_address, None);
        registers.set(NUMBERS.stack_pointer, Some(frame));
        // A walk goes up, or it would not end.
        (frame > before.get(NUMBERS.stack_pointer)? || caller != address).then_some(caller)
    }

    fn read(address: usize, stack: &Range<usize>) -> Option<usize> {
        let inside = address >= stack.start
            && address <= stack.end.checked_sub(size_of::<usize>())?
            && address.is_multiple_of(align_of::<usize>());
        // SAFETY: a word of the stack, which is mapped, and on which nothing runs.
        inside.then(|| unsafe { ptr::with_exposed_provenance::<usize>(address).read() })
    }

    /// What is known of a loaded object.
    struct Object {
        /// The part of it that holds the address that was looked for.
        code: Range<usize>,
        base: usize,
        index: Range<usize>,
        /// The part that holds the index.
        tables: Range<usize>,
    }

    impl Object {
        fn of(address: usize) -> Option<Object> {
            let mut search = Search {
                address,
                found: None,
            };
            // SAFETY: the callback gets the pointer that is passed here, while this call lasts.
            unsafe { libc::dl_iterate_phdr(Some(look), (&raw mut search).cast()) };
            search.found
        }

        fn row<'a>(
            &self,
            address: usize,
            context: &'a mut UnwindContext<usize>,
        ) -> Option<&'a UnwindTableRow<usize>> {
            let bases = BaseAddresses::default()
                .set_eh_frame_hdr(self.index.start as u64)
                .set_text(self.base as u64);
            let header = EhFrameHdr::new(bytes(&self.index), NativeEndian);
            let header = header.parse(&bases, size_of::<usize>() as u8).ok()?;
            let Pointer::Direct(start) = header.eh_frame_ptr() else {
                return None;
            };
            let start = start as usize;
            if !self.tables.contains(&start) {
                return None;
            }
            let bases = bases.set_eh_frame(start as u64);
            let frames = EhFrame::new(bytes(&(start..self.tables.end)), NativeEndian);
            let table = header.table()?;
            table
                .unwind_info_for_address(
                    &frames,
                    &bases,
                    context,
                    address as u64,
                    EhFrame::<Reader>::cie_from_offset,
                )
                .ok()
        }
    }

    fn bytes(range: &Range<usize>) -> &'static [u8] {
        // SAFETY: a part of a segment that can be read. An object whose code is on a stack is not unloaded.
        unsafe { slice::from_raw_parts(ptr::with_exposed_provenance(range.start), range.len()) }
    }

    struct Search {
        address: usize,
        found: Option<Object>,
    }

    unsafe extern "C" fn look(
        info: *mut libc::dl_phdr_info,
        _size: libc::size_t,
        search: *mut c_void,
    ) -> libc::c_int {
        // SAFETY: the system passes what it knows of an object, and `Object::of` its search.
        let (info, search) = unsafe { (&*info, &mut *search.cast::<Search>()) };
        if info.dlpi_phdr.is_null() {
            return 0;
        }
        // SAFETY: that many headers lie there.
        let headers =
            unsafe { slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) };
        let base = info.dlpi_addr as usize;
        let range = |header: &libc::Elf64_Phdr| {
            let start = base.wrapping_add(header.p_vaddr as usize);
            start..start.wrapping_add(header.p_memsz as usize)
        };
        let segments = || {
            headers
                .iter()
                .filter(|header| header.p_type == libc::PT_LOAD)
                .map(range)
        };
        let Some(code) = segments().find(|segment| segment.contains(&search.address)) else {
            return 0;
        };
        let index = headers
            .iter()
            .find(|header| header.p_type == libc::PT_GNU_EH_FRAME)
            .map(range);
        search.found = index.and_then(|index| {
            let tables = segments().find(|segment| segment.contains(&index.start))?;
            Some(Object {
                code,
                base,
                index,
                tables,
            })
        });
        1
    }
}
