//! How functions of a program find each other.
//!
//! Where the whole program is compiled at once, a call names the function that it calls. Where
//! functions are compiled one by one, it goes through a table in the context, by the number of the
//! function:
//!
//! ```text
//! callee = ctx.functions[number]            // with acquire: whoever has it sees the sites of the callee
//! if callee == 0: goto missing
//! call callee
//!
//! missing (cold):
//!   compile(number)                         // preserves all registers
//!   callee = ctx.functions[number]
//!   if callee == 0: leave to the interpreter
//!   call callee
//! ```
//!
//! The table is data, so code that is sealed never changes, whatever is compiled later.

use {
    crate::{
        call::access_signature,
        function::{FunctionCx, FunctionName, TRUSTED},
        insn::Width,
        role::Role,
        units::UnitId,
    },
    cranelift_codegen::{
        ir::{
            AbiParam, InstBuilder, Signature, Value,
            types::{I32, I64},
        },
        isa::CallConv,
    },
    cranelift_frontend::FunctionBuilder,
    sbpf_runtime::{
        abi::{FUNCTION_SHIFT, offset},
        site::RegisterSet,
    },
    std::sync::Arc,
};

/// How functions of a program find each other.
#[derive(Debug, Clone, Default)]
pub enum Linkage {
    /// All of them are compiled together.
    #[default]
    Direct,
    /// They are compiled one by one, or a few at a time.
    Table(Table),
}

/// What a few functions have to know to be compiled without the others.
#[derive(Debug, Clone)]
pub struct Table {
    /// The numbers of all functions.
    pub numbers: Arc<Numbers>,
    /// Units that are compiled together, which call each other directly; in ascending order.
    pub together: Vec<UnitId>,
}

/// The numbers of functions in the table of a program: those of [`Numbers::ACCESS`] and
/// [`Numbers::COMPILE`], then the units in any order, then what `callx` finds, by its pc.
#[derive(Debug)]
pub struct Numbers {
    of_unit: Vec<u32>,
    with_number: Vec<UnitId>,
    slots: usize,
}

/// What a number stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbered {
    /// A unit.
    Unit(UnitId),
    /// The function that `callx` finds at a pc.
    EntryAt(u32),
}

impl Numbers {
    /// The number of [`FunctionName::Access`].
    pub const ACCESS: u32 = 0;

    /// The number of [`FunctionName::Compile`].
    pub const COMPILE: u32 = 1;

    const FIRST_UNIT: u32 = 2;

    /// Numbers for so many units, and for entries at so many pcs.
    ///
    /// `shuffle` may bring units into another order, so that a program has no say in numbers.
    pub fn new(units: usize, slots: usize, shuffle: impl FnOnce(&mut [UnitId])) -> Self {
        let mut with_number: Vec<UnitId> = (0..units as u32).map(UnitId).collect();
        shuffle(&mut with_number);
        let mut of_unit = vec![0; units];
        for (number, unit) in (Self::FIRST_UNIT..).zip(&with_number) {
            of_unit[unit.0 as usize] = number;
        }
        Self {
            of_unit,
            with_number,
            slots,
        }
    }

    /// The number of a unit.
    pub fn of(&self, unit: UnitId) -> u32 {
        self.of_unit[unit.0 as usize]
    }

    /// The number of the entry at pc 0.
    pub fn first_entry(&self) -> u32 {
        Self::FIRST_UNIT + self.of_unit.len() as u32
    }

    /// How many numbers there are.
    pub fn count(&self) -> usize {
        self.first_entry() as usize + self.slots
    }

    /// What a number stands for, if it does for something to be compiled.
    pub fn meaning(&self, number: u32) -> Option<Numbered> {
        if let Some(pc) = number.checked_sub(self.first_entry()) {
            return ((pc as usize) < self.slots).then_some(Numbered::EntryAt(pc));
        }
        let index = number.checked_sub(Self::FIRST_UNIT)?;
        let unit = self.with_number.get(index as usize)?;
        Some(Numbered::Unit(*unit))
    }
}

impl Linkage {
    /// The table, if there is one.
    pub fn table(&self) -> Option<&Table> {
        match self {
            Self::Direct => None,
            Self::Table(table) => Some(table),
        }
    }

    /// The number by which a unit has to be called, unless it is called directly.
    pub(crate) fn number(&self, unit: UnitId) -> Option<u32> {
        let table = self.table()?;
        let is_near = table.together.binary_search(&unit).is_ok();
        (!is_near).then(|| table.numbers.of(unit))
    }
}

/// Where the address of a function is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place {
    /// At a number.
    Number(u32),
    /// Among the entries for `callx`, at a pc.
    Entry(Value),
}

impl FunctionCx<'_> {
    /// The address of a function, compiled now if need be, for the instruction at `pc`. If it can't
    /// be, control goes to what `refuse` emits, which ends the block.
    pub(crate) fn function_at(
        &mut self,
        place: Place,
        pc: u32,
        refuse: impl FnOnce(&mut Self),
    ) -> Value {
        let missing = self.cold_block(Role::Uncompiled { pc });
        let compiled = self.cold_block(Role::Compiled { pc });
        let refused = self.cold_block(Role::Refused { pc });
        let (usual, present) = (self.builder.create_block(), self.builder.create_block());
        let callee = self.builder.append_block_param(present, I64);
        let found = self.load_function_at(place);
        self.builder.ins().brif(found, usual, &[], missing, &[]);
        self.builder.seal_block(usual);
        self.builder.seal_block(missing);

        self.builder.switch_to_block(missing);
        let number = self.number_at(place);
        self.call_compile(number);
        let late = self.load_function_at(place);
        self.builder.ins().brif(late, compiled, &[], refused, &[]);
        self.builder.seal_block(compiled);
        self.builder.seal_block(refused);
        self.builder.switch_to_block(refused);
        refuse(self);

        // A block of its own: an edge to where the usual way goes on would have its moves there.
        self.builder.switch_to_block(compiled);
        self.builder.ins().jump(present, &[late.into()]);
        self.builder.switch_to_block(usual);
        self.builder.ins().jump(present, &[found.into()]);
        self.builder.seal_block(present);
        self.builder.switch_to_block(present);
        callee
    }

    /// Calls [`FunctionName::Access`].
    pub(crate) fn call_access(&mut self, arguments: [Value; 2]) {
        if self.analysis.linkage.table().is_none() {
            let callee = self.callee(FunctionName::Access, RegisterSet::EMPTY);
            self.builder.ins().call(callee, &arguments);
            return;
        }
        let context = self.context();
        let callee = load_function(&mut self.builder, context, Numbers::ACCESS);
        let signature = self.builder.import_signature(access_signature());
        self.builder
            .ins()
            .call_indirect(signature, callee, &arguments);
    }

    /// Calls [`FunctionName::Compile`].
    fn call_compile(&mut self, number: Value) {
        let context = self.context();
        let callee = load_function(&mut self.builder, context, Numbers::COMPILE);
        let signature = self.builder.import_signature(compile_signature());
        self.builder
            .ins()
            .call_indirect(signature, callee, &[number]);
    }

    fn load_function_at(&mut self, place: Place) -> Value {
        match place {
            Place::Number(number) => {
                let context = self.context();
                load_function(&mut self.builder, context, number)
            }
            Place::Entry(pc) => {
                let entries = self.load_context(I64, offset::ENTRIES);
                let shift = self.constant(i64::from(FUNCTION_SHIFT));
                let scaled = self.builder.ins().ishl(pc, shift);
                let entry = self.builder.ins().iadd(entries, scaled);
                self.builder.ins().atomic_load(I64, TRUSTED, entry)
            }
        }
    }

    fn number_at(&mut self, place: Place) -> Value {
        match (place, self.analysis.linkage.table()) {
            (Place::Entry(pc), Some(table)) => {
                let first = i64::from(table.numbers.first_entry());
                let pc = self.builder.ins().ireduce(I32, pc);
                let first = self.chosen(Width::W32, first);
                self.builder.ins().iadd(pc, first)
            }
            (Place::Number(number), _) => self.builder.ins().iconst(I32, i64::from(number)),
            // There is no place without a table.
            (Place::Entry(_), None) => self.builder.ins().iconst(I32, -1),
        }
    }
}

/// Loads the address of the function with a number.
///
/// With acquire, which costs nothing on x86_64: what the function's code makes others look up was
/// there before its address was.
pub(crate) fn load_function(
    builder: &mut FunctionBuilder<'_>,
    context: Value,
    number: u32,
) -> Value {
    let functions = builder.ins().load(I64, TRUSTED, context, offset::FUNCTIONS);
    let distance = i64::from(number) << FUNCTION_SHIFT;
    let distance = builder.ins().iconst(I64, distance);
    let place = builder.ins().iadd(functions, distance);
    builder.ins().atomic_load(I64, TRUSTED, place)
}

/// The signature of what forwards to the compile callback.
pub(crate) fn compile_signature() -> Signature {
    let mut signature = Signature::new(CallConv::PreserveAll);
    signature.params.push(AbiParam::new(I32));
    signature
}

/// The signature of a [`sbpf_runtime::abi::CompileCallback`].
pub(crate) fn compile_callback_signature(convention: CallConv) -> Signature {
    let mut signature = Signature::new(convention);
    signature.params.extend([I64, I32].map(AbiParam::new));
    signature
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_for_what_they_were_given_to() {
        let numbers = Numbers::new(5, 7, |units| units.reverse());
        assert_eq!(numbers.count(), 14);
        for unit in (0..5).map(UnitId) {
            let meaning = numbers.meaning(numbers.of(unit));
            assert_eq!(meaning, Some(Numbered::Unit(unit)));
        }
        for pc in 0..7 {
            let meaning = numbers.meaning(numbers.first_entry() + pc);
            assert_eq!(meaning, Some(Numbered::EntryAt(pc)));
        }
        for number in [Numbers::ACCESS, Numbers::COMPILE, 14, u32::MAX] {
            assert_eq!(numbers.meaning(number), None);
        }
    }
}
