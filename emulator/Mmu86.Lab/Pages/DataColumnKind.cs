namespace Mmu86.Lab.Pages;

/// <summary>What is in a column: it decides the side to which cells are aligned.</summary>
public enum DataColumnKind
{
    /// <summary>Names and words.</summary>
    Text,

    /// <summary>Numbers.</summary>
    Number,
}
