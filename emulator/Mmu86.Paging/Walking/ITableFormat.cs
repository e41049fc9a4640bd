namespace Mmu86.Paging;

/// <summary>What the walker must know of a format beyond its <see cref="TableLayout"/>.</summary>
internal interface ITableFormat
{
    /// <summary>Whose tables these are.</summary>
    static abstract WalkDimension Dimension { get; }

    /// <summary>An entry is present if one of these bits is set.</summary>
    static abstract ulong PresentMask { get; }

    /// <summary>The bits that carry rights, in entries and in structure caches.</summary>
    static abstract ulong RightsMask { get; }

    /// <summary>Those of them that deny where they are set. With them inverted, the rights of a walk are the AND over its levels.</summary>
    static abstract ulong DenyingRights { get; }

    /// <summary>The accessed flag.</summary>
    static abstract ulong Accessed { get; }

    /// <summary>Whether a present entry without reserved bits is malformed nevertheless.</summary>
    static abstract bool IsMalformed(ulong entry, bool mapsPage);
}
