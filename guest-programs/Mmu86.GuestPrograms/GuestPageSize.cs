namespace Mmu86.GuestPrograms;

/// <summary>The page sizes that <c>--guest-page</c> knows, in bytes.</summary>
internal static class GuestPageSize
{
    public const ulong FourKibibytes = 1UL << 12;
    public const ulong TwoMebibytes = 1UL << 21;
    public const ulong OneGibibyte = 1UL << 30;

    public static ulong Bytes(string name) => name switch
    {
        "4k" => FourKibibytes,
        "2m" => TwoMebibytes,
        "1g" => OneGibibyte,
        _ => throw new GuestArgumentException($"The guest's page size is '{name}'; it may be 4k, 2m or 1g."),
    };
}
