using Mmu86.Cpu;
using Mmu86.TestKit.Machines;
using Mmu86.X86;

namespace Mmu86.Tests.Cpu;

/// <summary>The words of control-registers.txt.</summary>
internal sealed class ControlRegisterWords
{
    private static readonly Dictionary<string, ulong> Bits = new()
    {
        ["cr0.pe"] = (ulong)Cr0.ProtectionEnable,
        ["cr0.mp"] = (ulong)Cr0.MonitorCoprocessor,
        ["cr0.em"] = (ulong)Cr0.Emulation,
        ["cr0.ts"] = (ulong)Cr0.TaskSwitched,
        ["cr0.et"] = (ulong)Cr0.ExtensionType,
        ["cr0.wp"] = (ulong)Cr0.WriteProtect,
        ["cr0.am"] = (ulong)Cr0.AlignmentMask,
        ["cr0.nw"] = (ulong)Cr0.NotWriteThrough,
        ["cr0.cd"] = (ulong)Cr0.CacheDisable,
        ["cr0.pg"] = (ulong)Cr0.Paging,
        ["cr4.tsd"] = (ulong)Cr4.TimeStampDisable,
        ["cr4.de"] = (ulong)Cr4.DebuggingExtensions,
        ["cr4.pae"] = (ulong)Cr4.PhysicalAddressExtension,
        ["cr4.mce"] = (ulong)Cr4.MachineCheckEnable,
        ["cr4.pge"] = (ulong)Cr4.PageGlobalEnable,
        ["cr4.pce"] = (ulong)Cr4.PerformanceCounterEnable,
        ["cr4.osfxsr"] = (ulong)Cr4.OsFxsr,
        ["cr4.osxmm"] = (ulong)Cr4.OsXmmExceptions,
        ["cr4.umip"] = (ulong)Cr4.UserModeInstructionPrevention,
        ["cr4.la57"] = (ulong)Cr4.LinearAddress57,
        ["cr4.vmxe"] = (ulong)Cr4.VmxEnable,
        ["cr4.fsgsbase"] = (ulong)Cr4.FsGsBase,
        ["cr4.pcide"] = (ulong)Cr4.PcidEnable,
        ["cr4.osxsave"] = (ulong)Cr4.OsXsave,
        ["cr4.smep"] = (ulong)Cr4.Smep,
        ["cr4.smap"] = (ulong)Cr4.Smap,
        ["cr4.pke"] = (ulong)Cr4.ProtectionKeyEnable,
        ["cr4.cet"] = (ulong)Cr4.ControlFlowEnforcement,
        ["cr4.pks"] = (ulong)Cr4.ProtectionKeySupervisor,
        ["cr4.lass"] = (ulong)Cr4.LinearAddressSpaceSeparation,
        ["cr4.lamsup"] = (ulong)Cr4.LinearAddressMaskingSupervisor,
        ["efer.sce"] = (ulong)Efer.SyscallEnable,
        ["efer.lme"] = (ulong)Efer.LongModeEnable,
        ["efer.lma"] = (ulong)Efer.LongModeActive,
        ["efer.nxe"] = (ulong)Efer.NoExecuteEnable,
    };

    private readonly List<string> _registers = [];
    private readonly bool _isCompatibility;

    /// <summary>Reads the words of the first column.</summary>
    public ControlRegisterWords(string column)
    {
        var cpuid = new FullCpuidDraft();
        foreach (string word in RuleTable.Words(column))
        {
            if (word == "compat")
                _isCompatibility = true;
            else if (word == "la57")
                cpuid.With57Bits();
            else if (word.StartsWith("width=", StringComparison.Ordinal))
                cpuid.Width = (int)RuleTable.Number(word[6..]);
            else if (word.StartsWith("no-", StringComparison.Ordinal))
                cpuid.Without(word[3..]);
            else
                _registers.Add(word);
        }

        Cpuid = cpuid.Finish();
    }

    /// <summary>The processor.</summary>
    public ICpuidSource Cpuid { get; }

    /// <summary>Whether code can run in the state described.</summary>
    public bool CanRun => !_isCompatibility && _registers.Count == 0;

    /// <summary>Puts the registers into the state described.</summary>
    public void Apply(SystemState system)
    {
        if (_isCompatibility)
            system.Cs = new SegmentRegister(BareSelectors.UserCompatibility, 0, uint.MaxValue, 0xC0FB);
        foreach (string word in _registers)
        {
            (string register, ulong value) = Parse(system, word);
            switch (register)
            {
                case "cr0": system.Cr0 = (Cr0)value; break;
                case "cr3": system.Cr3 = value; break;
                case "cr4": system.Cr4 = (Cr4)value; break;
                default: system.Efer = (Efer)value; break;
            }
        }
    }

    /// <summary>Reads <c>cr4+pcide-pge</c> or <c>cr3=0x5000</c>.</summary>
    public static (string Register, ulong Value) Parse(SystemState system, string word)
    {
        int end = word.IndexOfAny(['+', '-', '=']);
        string register = word[..end];
        if (word[end] == '=')
            return (register, RuleTable.Number(word[(end + 1)..]));
        ulong value = register switch
        {
            "cr0" => (ulong)system.Cr0,
            "cr3" => system.Cr3,
            "cr4" => (ulong)system.Cr4,
            "efer" => (ulong)system.Efer,
            _ => throw new InvalidDataException(word),
        };
        while (end < word.Length)
        {
            int next = word.IndexOfAny(['+', '-'], end + 1);
            if (next < 0)
                next = word.Length;
            string name = word[(end + 1)..next];
            ulong bits = name.StartsWith("bit", StringComparison.Ordinal) ? 1UL << (int)RuleTable.Number(name[3..]) : Bits[$"{register}.{name}"];
            value = word[end] == '+' ? value | bits : value & ~bits;
            end = next;
        }

        return (register, value);
    }

    private sealed class FullCpuidDraft
    {
        private uint _basicEcx;
        private uint _basicEdx;
        private uint _structuredEbx;
        private uint _structuredEcx = FullCpuid.LinearAddress57;
        private uint _structuredMoreEax;
        private uint _extendedEdx;

        public int Width { get; set; } = 46;

        public void With57Bits() => _structuredEcx &= ~FullCpuid.LinearAddress57;

        public void Without(string feature)
        {
            switch (feature)
            {
                case "pcid": _basicEcx |= 1u << 17; break;
                case "de": _basicEdx |= 1u << 2; break;
                case "fsgsbase": _structuredEbx |= 1u; break;
                case "smep": _structuredEbx |= 1u << 7; break;
                case "smap": _structuredEbx |= 1u << 20; break;
                case "umip": _structuredEcx |= 1u << 2; break;
                case "pku": _structuredEcx |= 1u << 3; break;
                case "pks": _structuredEcx |= 1u << 31; break;
                case "lass": _structuredMoreEax |= 1u << 6; break;
                case "lam": _structuredMoreEax |= 1u << 26; break;
                case "nx": _extendedEdx |= 1u << 20; break;
                default: throw new InvalidDataException(feature);
            }
        }

        public FullCpuid Finish() => new()
        {
            BasicEcxWithout = _basicEcx,
            BasicEdxWithout = _basicEdx,
            StructuredEbxWithout = _structuredEbx,
            StructuredEcxWithout = _structuredEcx,
            StructuredMoreEaxWithout = _structuredMoreEax,
            ExtendedEdxWithout = _extendedEdx,
            PhysicalAddressBits = Width,
        };
    }
}
