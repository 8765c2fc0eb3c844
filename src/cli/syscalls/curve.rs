//! Points of Curve25519, in Edwards form and as Ristretto (agave's `SyscallCurve*` and
//! `solana-curve25519`).
//!
//! The BLS12-381 curves of newer runtimes are not here: they fail as a curve that does not exist.

use {
    super::{
        Error, consume,
        cost::{CurveCost, EDWARDS, RISTRETTO},
        error::SyscallError,
        syscall, translate,
    },
    crate::cli::context::Context,
    curve25519_dalek::{
        edwards::{CompressedEdwardsY, EdwardsPoint},
        ristretto::{CompressedRistretto, RistrettoPoint},
        scalar::Scalar,
        traits::VartimeMultiscalarMul,
    },
    std::ops::{Add, Mul, Sub},
};

/// Bytes of a compressed point and of a scalar.
const POINT_BYTES: usize = 32;
/// A compressed point.
type Compressed = [u8; POINT_BYTES];

/// Points that one multiscalar multiplication may have.
const MSM_MAX_POINTS: u64 = 512;

/// The `curve_id` argument: Edwards form.
const CURVE_EDWARDS: u64 = 0;
/// The `curve_id` argument: Ristretto.
const CURVE_RISTRETTO: u64 = 1;

/// The `group_op` argument: the sum of two points.
const ADD: u64 = 0;
/// The `group_op` argument: the difference of two points.
const SUBTRACT: u64 = 1;
/// The `group_op` argument: a scalar times a point.
const MULTIPLY: u64 = 2;

/// A group whose points have a compressed form.
trait Group:
    Copy
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Scalar, Output = Self>
    + VartimeMultiscalarMul<Point = Self>
{
    /// What its operations cost.
    const COST: CurveCost;
    /// The point, if `bytes` are one.
    fn decompress(bytes: Compressed) -> Option<Self>;
    /// Its bytes.
    fn compress(self) -> Compressed;
}

impl Group for EdwardsPoint {
    const COST: CurveCost = EDWARDS;

    fn decompress(bytes: Compressed) -> Option<Self> {
        CompressedEdwardsY(bytes).decompress()
    }

    fn compress(self) -> Compressed {
        EdwardsPoint::compress(&self).to_bytes()
    }
}

impl Group for RistrettoPoint {
    const COST: CurveCost = RISTRETTO;

    fn decompress(bytes: Compressed) -> Option<Self> {
        CompressedRistretto(bytes).decompress()
    }

    fn compress(self) -> Compressed {
        RistrettoPoint::compress(&self).to_bytes()
    }
}

/// The scalar, if `bytes` are its canonical form.
fn scalar(bytes: Compressed) -> Option<Scalar> {
    Scalar::from_canonical_bytes(bytes).into()
}

/// Whether the bytes at `address` are a point: 0 for yes, 1 for no.
///
/// # Errors
/// The meter, or memory that is not the program's.
fn validate<G: Group>(context: &mut Context, address: u64) -> Result<u64, Error> {
    consume(context, G::COST.validate_point)?;
    let bytes = translate::read_array(context, address)?;
    Ok(u64::from(G::decompress(bytes).is_none()))
}

/// Writes a result if there is one: 0, or 1 when there is none.
///
/// # Errors
/// Memory that is not the program's.
fn write_point<G: Group>(context: &Context, address: u64, point: Option<G>) -> Result<u64, Error> {
    let Some(point) = point else {
        return Ok(1);
    };
    translate::write(context, address, &point.compress(), 1)?;
    Ok(0)
}

/// Adds, subtracts or multiplies.
///
/// # Errors
/// An operation that does not exist, the meter, or memory that is not the program's.
fn operate<G: Group>(
    context: &mut Context,
    operation: u64,
    [left, right, result]: [u64; 3],
) -> Result<u64, Error> {
    let cost = match operation {
        ADD => G::COST.add,
        SUBTRACT => G::COST.subtract,
        MULTIPLY => G::COST.multiply,
        _ => return Err(SyscallError::InvalidAttribute.into()),
    };
    consume(context, cost)?;
    let left = translate::read_array(context, left)?;
    let right = translate::read_array(context, right)?;
    let right = G::decompress(right);
    let point = match operation {
        ADD => G::decompress(left)
            .zip(right)
            .map(|(left, right)| left + right),
        SUBTRACT => G::decompress(left)
            .zip(right)
            .map(|(left, right)| left - right),
        _ => scalar(left).zip(right).map(|(left, right)| right * left),
    };
    write_point(context, result, point)
}

/// The sum of scalars times points.
///
/// # Errors
/// Too many points, the meter, or memory that is not the program's.
fn multiply_many<G: Group>(
    context: &mut Context,
    [scalars, points, count, result]: [u64; 4],
) -> Result<u64, Error> {
    let further = G::COST
        .msm_incremental
        .saturating_mul(count.saturating_sub(1));
    consume(context, G::COST.msm_base.saturating_add(further))?;
    let length = count.saturating_mul(POINT_BYTES as u64);
    let scalars = translate::read(context, scalars, length)?;
    let points = translate::read(context, points, length)?;
    let (scalars, _) = scalars.as_chunks::<POINT_BYTES>();
    let (points, _) = points.as_chunks::<POINT_BYTES>();
    let scalars: Option<Vec<Scalar>> = scalars.iter().copied().map(scalar).collect();
    let sum = scalars.and_then(|scalars| {
        G::optional_multiscalar_mul(scalars, points.iter().copied().map(G::decompress))
    });
    write_point(context, result, sum)
}

syscall! {
    /// `sol_curve_validate_point(curve, point)`: 0 when the bytes are a point, else 1.
    ValidatePoint(context, curve, point) {
        match curve {
            CURVE_EDWARDS => validate::<EdwardsPoint>(context, point),
            CURVE_RISTRETTO => validate::<RistrettoPoint>(context, point),
            _ => Err(SyscallError::InvalidAttribute.into()),
        }
    }
}

syscall! {
    /// `sol_curve_group_op(curve, operation, left, right, result)`: 0, or 1 when an input is not
    /// a point or a scalar.
    GroupOperation(context, curve, operation, left, right, result) {
        let addresses = [left, right, result];
        match curve {
            CURVE_EDWARDS => operate::<EdwardsPoint>(context, operation, addresses),
            CURVE_RISTRETTO => operate::<RistrettoPoint>(context, operation, addresses),
            _ => Err(SyscallError::InvalidAttribute.into()),
        }
    }
}

syscall! {
    /// `sol_curve_multiscalar_mul(curve, scalars, points, count, result)`: 0, or 1 when an input
    /// is not a point or a scalar.
    MultiscalarMultiply(context, curve, scalars, points, count, result) {
        if count > MSM_MAX_POINTS {
            return Err(SyscallError::InvalidLength.into());
        }
        let arguments = [scalars, points, count, result];
        match curve {
            CURVE_EDWARDS => multiply_many::<EdwardsPoint>(context, arguments),
            CURVE_RISTRETTO => multiply_many::<RistrettoPoint>(context, arguments),
            _ => Err(SyscallError::InvalidAttribute.into()),
        }
    }
}
