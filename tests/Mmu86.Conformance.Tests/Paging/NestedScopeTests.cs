using Mmu86.Paging;
using Mmu86.TestKit.Paging;
using Mmu86.TestKit.Rules;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Conformance.Tests.Paging;

/// <summary>
/// The scopes of INVEPT, INVVPID, TLB_CONTROL and INVLPGA by state: every space is filled, then its tables change, then one operation is
/// made, and each space shows whether its old translation is gone or stays.
/// </summary>
public sealed class NestedScopeTests
{
    private const ulong Linear = 0x7000_1234_5000;
    private const ulong Global = 0x7000_1234_6000;
    private const ulong Old = 0x50_0000;
    private const ulong New = 0x60_0000;

    // Spaces: name = VPID, PCID, root (0: EPT off). What is listed must be gone; all others must stay.
    private static readonly (string Name, ushort Vpid, ushort Pcid, int Root)[] s_spaces =
    [
        ("v0p0", 0, 0, 0),
        ("v0p0A", 0, 0, 1),
        ("v1p0A", 1, 0, 1),
        ("v1p5A", 1, 5, 1),
        ("v1p0B", 1, 0, 2),
        ("v2p0A", 2, 0, 1),
    ];

    [Theory]
    [InlineData("invvpid 0 vpid 1", "v1p0A v1p5A v1p0B", true)]
    [InlineData("invvpid 1 vpid 1", "v1p0A v1p5A v1p0B", true)]
    [InlineData("invvpid 2", "v1p0A v1p5A v1p0B v2p0A", true)]
    [InlineData("invvpid 3 vpid 1", "v1p0A v1p5A v1p0B", false)]
    [InlineData("vpid 0", "v0p0 v0p0A", true)]
    [InlineData("invvpid 1 vpid 7", "", true)]
    [Rule("E11")]
    [Rule("E13")]
    [Rule("E14")]
    public void GuestTablesChanged_AfterAnOperation_ShowsInItsScopeOnly(string operation, string gone, bool reachesGlobals)
    {
        using var machine = new Spaces(NestedFormat.Ept);
        machine.Fill();

        machine.ChangeGuestTables();
        machine.Do(operation);

        foreach ((string name, ushort vpid, ushort pcid, int root) in s_spaces)
        {
            bool isGone = gone.Split(' ').Contains(name);
            Assert.Equal((name, isGone ? New : Old), (name, machine.Read(vpid, pcid, root, Linear)));
            Assert.Equal((name, isGone && reachesGlobals ? New : Old), (name, machine.Read(vpid, pcid, root, Global)));
        }
    }

    [Theory]
    [InlineData("invept 1 A", "v0p0A v1p0A v1p5A v2p0A")]
    [InlineData("invept 1 B", "v1p0B")]
    [InlineData("invept 2", "v0p0A v1p0A v1p5A v1p0B v2p0A")]
    [InlineData("invvpid 1 vpid 1", "")]
    [InlineData("vpid 0", "")]
    [Rule("E11")]
    [Rule("E13")]
    [Rule("E14")]
    [Rule("E15")]
    [Rule("E26")]
    public void EptChanged_AfterAnOperation_ShowsInItsScopeOnly(string operation, string gone)
    {
        using var machine = new Spaces(NestedFormat.Ept);
        machine.Fill();

        machine.ChangeNestedTables();
        machine.Do(operation);

        foreach ((string name, ushort vpid, ushort pcid, int root) in s_spaces)
        {
            bool isGone = gone.Split(' ').Contains(name);
            Assert.Equal((name, isGone ? New : Old), (name, machine.Read(vpid, pcid, root, Linear)));
        }
    }

    [Theory]
    [InlineData("tlb 0", "")]
    [InlineData("tlb 1", "v1p0A v1p5A v1p0B v2p0A")]
    [InlineData("tlb 3", "v1p0A v1p5A v1p0B")]
    [InlineData("tlb 7", "v1p0A v1p5A v1p0B")]
    [Rule("N08")]
    public void NestedTablesOfAmdChanged_AfterTlbControl_ShowsInItsScopeOnly(string operation, string gone)
    {
        using var machine = new Spaces(NestedFormat.Npt);
        machine.Fill();

        machine.ChangeNestedTables();
        machine.Use(1, 0, 1);
        machine.Do(operation);

        foreach ((string name, ushort vpid, ushort pcid, int root) in s_spaces.Where(space => space is { Root: > 0, Vpid: > 0 }))
        {
            bool isGone = gone.Split(' ').Contains(name);
            Assert.Equal((name, isGone ? New : Old), (name, machine.Read(vpid, pcid, root, Linear)));
        }
    }

    [Fact]
    [Rule("N08")]
    public void TlbControl7_GlobalTranslation_MayStay()
    {
        using var machine = new Spaces(NestedFormat.Npt);
        machine.Fill();

        machine.ChangeGuestTables();
        machine.Use(1, 0, 1);
        machine.Do("tlb 7");

        Assert.Equal(New, machine.Read(1, 0, 1, Linear));
        Assert.Equal(Old, machine.Read(1, 0, 1, Global));
    }

    [Theory]
    [InlineData(2)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(8)]
    [InlineData(255)]
    [Rule("N08")]
    public void TlbControl_ReservedValue_IsRefused(byte control)
    {
        using var machine = new Spaces(NestedFormat.Npt);

        Assert.False(machine.Mmu.TryApplyTlbControl(control));
    }

    [Fact]
    [Rule("N09")]
    public void Invlpga_OneAddressOfOneAsid_LeavesTheOthers()
    {
        using var machine = new Spaces(NestedFormat.Npt);
        machine.Fill();

        machine.ChangeGuestTables();
        machine.Mmu.InvalidatePageOfAsid(new(Linear), 1);

        Assert.Equal(New, machine.Read(1, 0, 1, Linear));
        Assert.Equal(New, machine.Read(1, 5, 1, Linear));
        Assert.Equal(Old, machine.Read(1, 0, 1, Global));
        Assert.Equal(Old, machine.Read(2, 0, 1, Linear));
    }

    [Theory]
    [InlineData(4, 1, Linear)]
    [InlineData(ulong.MaxValue, 1, Linear)]
    [InlineData(0, 0x1_0001, Linear)]
    [InlineData(2, 0x8000_0000_0000_0001, Linear)]
    [InlineData(0, 0, Linear)]
    [InlineData(1, 0, Linear)]
    [InlineData(3, 0, Linear)]
    [InlineData(0, 1, 0x8000_0000_0000)]
    [Rule("E14")]
    public void Invvpid_BadOperand_FailsWithNumber28(ulong type, ulong low, ulong linear)
    {
        using var machine = new Spaces(NestedFormat.Ept);

        Assert.Equal((VmInstructionError)28, machine.Mmu.Invvpid(type, new UInt128(linear, low)));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    [Rule("E15")]
    public void Invept_UnsupportedType_FailsWithNumber28(ulong type)
    {
        using var machine = new Spaces(NestedFormat.Ept);

        Assert.Equal((VmInstructionError)28, machine.Mmu.Invept(type, machine.Roots[1]));
    }

    /// <summary>One MMU, tables for two pages, two nested roots.</summary>
    private sealed class Spaces : IDisposable
    {
        private readonly PagedMachine _machine;
        private readonly EptBuilder[] _nested;

        public Spaces(NestedFormat format)
        {
            MmuConfiguration configuration = TestMmuConfigurations.Ideal();
            _machine = new PagedMachine(configuration with { Nested = configuration.Nested with { Format = format } });
            _machine.Map(Linear, Old);
            _machine.Map(Global, Old, flags: PagedMachine.Page | PagingEntry.Global);
            _nested = [_machine.NewEpt(), _machine.NewEpt()];
            foreach (EptBuilder nested in _nested)
            {
                for (ulong page = 0; page < 0x80_0000; page += 0x1000)
                    nested.Map(new(page), new(page), PageSize.Size4K, Page(format));
            }

            Roots = format == NestedFormat.Ept
                ? [0, _nested[0].Eptp, _nested[1].Eptp]
                : [0, .. _nested.Select(nested => (nested.Eptp & EptPointer.AddressMask) | EptPointer.FourLevels | NptPointer.On)];
            PageFlags = Page(format);
        }

        public ulong[] Roots { get; }

        public IMmu Mmu => _machine.Mmu;

        private ulong PageFlags { get; }

        public void Use(ushort vpid, ushort pcid, int root) => _machine.Use(_machine.Tables, pcid, Roots[root], vpid);

        public ulong? Read(ushort vpid, ushort pcid, int root, ulong linear)
        {
            Use(vpid, pcid, root);
            return _machine.Access(linear);
        }

        public void Fill()
        {
            foreach ((_, ushort vpid, ushort pcid, int root) in s_spaces)
            {
                Assert.Equal(Old, Read(vpid, pcid, root, Linear));
                Assert.Equal(Old, Read(vpid, pcid, root, Global));
            }
        }

        public void ChangeGuestTables()
        {
            _machine.Map(Linear, New);
            _machine.Map(Global, New, flags: PagedMachine.Page | PagingEntry.Global);
        }

        public void ChangeNestedTables()
        {
            foreach (EptBuilder nested in _nested)
                nested.Map(new(Old), new(New), PageSize.Size4K, PageFlags);
        }

        public void Do(string operation)
        {
            string[] words = operation.Split(' ');
            switch (words[0])
            {
                case "invvpid":
                    ushort vpid = words.Length > 2 ? ushort.Parse(words[3]) : (ushort)0;
                    Assert.Equal(VmInstructionError.None, Mmu.Invvpid(ulong.Parse(words[1]), new UInt128(Linear, vpid)));
                    if (words[1] == "0")
                        Assert.Equal(VmInstructionError.None, Mmu.Invvpid(0, new UInt128(Global, vpid)));
                    break;
                case "invept":
                    ulong root = words.Length > 2 ? Roots[words[2] == "A" ? 1 : 2] : 0;
                    Assert.Equal(VmInstructionError.None, Mmu.Invept(ulong.Parse(words[1]), root));
                    break;
                case "vpid":
                    Mmu.InvalidateVpid(ushort.Parse(words[1]));
                    break;
                case "tlb":
                    Assert.True(Mmu.TryApplyTlbControl(byte.Parse(words[1])));
                    break;
                default:
                    throw new ArgumentOutOfRangeException(nameof(operation));
            }
        }

        public void Dispose() => _machine.Dispose();

        // Rights of EPT with its memory type, or P, R/W and U/S of AMD.
        private static ulong Page(NestedFormat format) => format == NestedFormat.Ept
            ? PagedMachine.EptPage
            : PagingEntry.Present | PagingEntry.Writable | PagingEntry.User;
    }
}
