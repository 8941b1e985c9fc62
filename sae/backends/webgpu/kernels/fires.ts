/** Whether a float, given as bits, fires: z > θ, or z is NaN. GPUs may assume that there is no NaN, bits can't be denied. */
export const fires = `
fn isNan(bits: u32) -> bool { return (bits & 0x7fffffffu) > 0x7f800000u; }
fn fires(bits: u32, threshold: f32) -> bool { return isNan(bits) || bitcast<f32>(bits) > threshold; }`;
