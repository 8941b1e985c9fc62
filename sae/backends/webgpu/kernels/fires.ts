/** WGSL that tells whether z, given by its bits, fires: z > θ, or z is NaN. It uses bits because WGSL lets compilers assume that no float is NaN. */
export const fires = `
fn isNan(bits: u32) -> bool { return (bits & 0x7fffffffu) > 0x7f800000u; }
fn fires(bits: u32, threshold: f32) -> bool { return isNan(bits) || bitcast<f32>(bits) > threshold; }`;
