//! What clients may not say about applications: `X-CF-ApplicationID`, `X-CF-InstanceID` and `X-CF-InstanceIndex` are set
//! for each endpoint when the request is sent to it; `X-Cf-App-Instance` is for the router only.

use crate::message::{Name, Names, View};

#[inline]
pub(super) fn apply(request: &mut View<'_>) {
    const REPLACED: Names = Names::of(&[
        Name::CfApplicationId,
        Name::CfInstanceId,
        Name::CfInstanceIndex,
        Name::CfAppInstance,
    ]);
    if request.head.present.has_any(REPLACED) {
        for field in &mut request.head.fields {
            field.keep &= !REPLACED.has(field.id);
        }
    }
}
