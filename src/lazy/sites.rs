//! Numbers of the places that call back, known before there is any code.
//!
//! A unit has no more of them than instructions that access memory or call functions, so each has a
//! range of numbers of its own, whatever is compiled first.

use {
    crate::CompileError,
    sbpf_lowering::{
        function::{Facts, Sites},
        insn::Operation,
        units::UnitId,
    },
    sbpf_runtime::code::GrowingCode,
};

/// For each unit the numbers of its first sites, and those behind the last one's.
#[derive(Debug)]
pub(super) struct SiteNumbers(Vec<(u32, u32)>);

impl SiteNumbers {
    /// Counts what units may need.
    pub(super) fn of(facts: &Facts) -> Self {
        let (mut accesses, mut calls) = (0, 0);
        let mut first = vec![(0, 0)];
        for unit in &facts.units.units {
            for (_, insn) in unit
                .blocks
                .iter()
                .flat_map(|block| facts.graph.insns(*block))
            {
                let is_call = matches!(
                    insn.operation,
                    Operation::Call { .. } | Operation::CallRegister { .. }
                );
                calls += u32::from(is_call);
                accesses += u32::from(insn.access().is_some());
            }
            first.push((accesses, calls));
        }
        Self(first)
    }

    /// How many access sites there may be.
    pub(super) fn accesses(&self) -> usize {
        self.0.last().map_or(0, |last| last.0 as usize)
    }

    /// How many call sites there may be.
    pub(super) fn calls(&self) -> usize {
        self.0.last().map_or(0, |last| last.1 as usize)
    }

    /// No sites yet, with the numbers of a unit.
    pub(super) fn first(&self, unit: UnitId) -> Sites {
        let (first_access, first_call) = self.0[unit.0 as usize];
        Sites {
            first_access,
            first_call,
            ..Sites::default()
        }
    }

    /// Puts the sites of a unit where generated code and the runtime look for them.
    ///
    /// # Errors
    /// When there are more than the unit may have.
    pub(super) fn set(
        &self,
        unit: UnitId,
        sites: &Sites,
        growing: &GrowingCode,
    ) -> Result<(), CompileError> {
        let Sites {
            accesses,
            calls,
            first_access,
            first_call,
        } = sites;
        let behind = |first: u32, count: usize| (first as usize).saturating_add(count);
        let limit = self.0[unit.0 as usize + 1];
        let fits = behind(*first_access, accesses.len()) <= limit.0 as usize
            && behind(*first_call, calls.len()) <= limit.1 as usize;
        let accesses = (*first_access as usize..).zip(accesses);
        let calls = (*first_call as usize..).zip(calls);
        let are_set = fits
            && accesses
                .map(|(number, site)| growing.set_access_site(number, site))
                .chain(calls.map(|(number, site)| growing.set_call_site(number, site)))
                .all(|is_set| is_set);
        if are_set {
            return Ok(());
        }
        Err(CompileError::CodeGeneration {
            pc: 0,
            reason: "more places that call back than instructions".to_string(),
        })
    }
}
