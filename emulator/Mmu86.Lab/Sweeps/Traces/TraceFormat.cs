namespace Mmu86.Lab.Sweeps.Traces;

/// <summary>What a trace is written in.</summary>
public enum TraceFormat
{
    /// <summary>What Valgrind's tool lackey prints with <c>--trace-mem=yes</c>.</summary>
    Lackey,

    /// <summary>ChampSim's records of 64 bytes, one an instruction.</summary>
    ChampSim,

    /// <summary>Lines of kind, address and size.</summary>
    Text,

    /// <summary>A translation stream that Mmu86 recorded.</summary>
    Mmu86,
}
