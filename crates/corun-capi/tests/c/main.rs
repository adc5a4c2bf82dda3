//! corun as C programs see it: the headers, the symbols, and what programs that are compiled against them do. Needs a C compiler.

mod abi;
mod build;
mod examples;
mod headers;
mod hosts;
mod installed;
mod llvm;
mod programs;
mod signatures;
