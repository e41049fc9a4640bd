using Mmu86.X86;

namespace Mmu86.Lab.Running;

/// <summary>The names of page sizes on the command line and in reports.</summary>
public static class PageSizeNames
{
    /// <summary><c>4k</c>, <c>2m</c> or <c>1g</c>.</summary>
    public static string Of(PageSize size) => size switch
    {
        PageSize.Size4K => "4k",
        PageSize.Size2M => "2m",
        PageSize.Size1G => "1g",
        _ => throw new System.Diagnostics.UnreachableException(),
    };
}
