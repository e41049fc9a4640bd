namespace Mmu86.Lab.Sweeps.Recorded;

/// <summary>Guesses the next page, and how often it is looked up, from the one or two pages before it. Writer and reader keep equal ones.</summary>
internal sealed class PagePredictor
{
    private const int IndexBits = 14;

    private readonly Guess[] _behindOne = new Guess[1 << IndexBits];
    private readonly Guess[] _behindTwo = new Guess[1 << IndexBits];
    private int _one;
    private int _two;

    /// <summary>The page before.</summary>
    public ulong Last { get; private set; }

    /// <summary>The guess from the page before.</summary>
    public Guess BehindOne => _behindOne[_one];

    /// <summary>The guess from the two pages before.</summary>
    public Guess BehindTwo => _behindTwo[_two];

    /// <summary>Learns what the page was.</summary>
    public void Learn(ulong page, uint repeats)
    {
        var fact = new Guess(page, repeats);
        _behindOne[_one] = fact;
        _behindTwo[_two] = fact;
        _two = Index(page + (Last * 0x9E37_79B9_7F4A_7C15));
        _one = Index(page);
        Last = page;
    }

    private static int Index(ulong key) => (int)((key * 0xD6E8_FEB8_6659_FD93) >> (64 - IndexBits));

    /// <summary>A page, and how often in turn.</summary>
    internal readonly record struct Guess(ulong Page, uint Repeats);
}
