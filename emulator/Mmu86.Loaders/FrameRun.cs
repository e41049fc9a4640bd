using Mmu86.X86;

namespace Mmu86.Loaders;

/// <summary>Frames that lie one after the other.</summary>
/// <param name="Start">The first.</param>
/// <param name="Count">How many 4 KiB frames.</param>
/// <param name="UsedBefore">Whether they were given back by someone, so that they may hold old bytes.</param>
public readonly record struct FrameRun(GuestFrameNumber Start, ulong Count, bool UsedBefore);
