using Mmu86.Devices;
using Xunit;

namespace Mmu86.Tests.Devices;

/// <summary>The local APIC. SDM 3, "Advanced Programmable Interrupt Controller (APIC)".</summary>
public sealed class LocalApicTests
{
    private readonly ApicBus _bus = new();
    private readonly FakeProcessor _processor = new();
    private readonly FakeMachine _machine = new();
    private readonly LocalApic _apic;
    private readonly LocalApicMemory _memory;
    private readonly LocalApicMsrs _msrs;
    private ulong _now;

    public LocalApicTests()
    {
        _apic = new LocalApic(0, _processor, _bus, _machine);
        _memory = new LocalApicMemory(_apic);
        _msrs = new LocalApicMsrs(_apic);
    }

    // The register address map: values after power-up, where LINT0 is what firmware makes it.
    [Theory]
    [InlineData(0x020, 0x0000_0000u)]
    [InlineData(0x030, 0x0005_0014u)]
    [InlineData(0x080, 0x0000_0000u)]
    [InlineData(0x0A0, 0x0000_0000u)]
    [InlineData(0x0D0, 0x0000_0000u)]
    [InlineData(0x0E0, 0xFFFF_FFFFu)]
    [InlineData(0x0F0, 0x0000_00FFu)]
    [InlineData(0x100, 0x0000_0000u)]
    [InlineData(0x270, 0x0000_0000u)]
    [InlineData(0x280, 0x0000_0000u)]
    [InlineData(0x300, 0x0000_0000u)]
    [InlineData(0x320, 0x0001_0000u)]
    [InlineData(0x330, 0x0001_0000u)]
    [InlineData(0x340, 0x0001_0000u)]
    [InlineData(0x350, 0x0000_0700u)]
    [InlineData(0x360, 0x0001_0000u)]
    [InlineData(0x370, 0x0001_0000u)]
    [InlineData(0x380, 0x0000_0000u)]
    [InlineData(0x390, 0x0000_0000u)]
    [InlineData(0x3E0, 0x0000_0000u)]
    public void Register_AfterReset_HasTheManualsValue(int offset, uint expected) => Assert.Equal(expected, Read(offset));

    // All ones written: what sticks while the APIC is enabled by software.
    [Theory]
    [InlineData(0x020, 0xFF00_0000u)]
    [InlineData(0x080, 0x0000_00FFu)]
    [InlineData(0x0D0, 0xFF00_0000u)]
    [InlineData(0x0E0, 0xFFFF_FFFFu)]
    [InlineData(0x0F0, 0x0000_01FFu)]
    [InlineData(0x310, 0xFF00_0000u)]
    [InlineData(0x320, 0x0007_00FFu)]
    [InlineData(0x330, 0x0001_07FFu)]
    [InlineData(0x350, 0x0001_A7FFu)]
    [InlineData(0x360, 0x0001_A7FFu)]
    [InlineData(0x370, 0x0001_00FFu)]
    [InlineData(0x3E0, 0x0000_000Bu)]
    [InlineData(0x030, 0x0005_0014u)]
    public void Register_WrittenWithOnes_KeepsItsDefinedBits(int offset, uint expected)
    {
        Enable();
        Write(offset, uint.MaxValue);
        Assert.Equal(expected, Read(offset));
    }

    [Fact]
    public void SoftwareDisable_MasksTheVectorTableAndRefusesInterrupts()
    {
        Write(0x350, 0x700);
        Assert.Equal(0x1_0700u, Read(0x350));
        Enable();
        Write(0x320, 0x40);
        Assert.Equal(0x40u, Read(0x320));
        SelfInterrupt(0x60);
        Assert.True(_apic.HasInterrupt);
        Write(0xF0, 0xFF);
        Assert.False(_apic.HasInterrupt);
        Assert.Equal(0x1_0040u, Read(0x320));
        Assert.False(_bus.Send(new ApicMessage(0x61, ApicDeliveryMode.Fixed, 0, false, false)));
    }

    // TPR, vector in service (0: none), vector requested, whether it interrupts, PPR: "Task and Processor Priorities".
    [Theory]
    [InlineData(0x00, 0x00, 0x10, true, 0x00)]
    [InlineData(0x30, 0x00, 0x3F, false, 0x30)]
    [InlineData(0x30, 0x00, 0x40, true, 0x30)]
    [InlineData(0x35, 0x00, 0x40, true, 0x35)]
    [InlineData(0x00, 0x55, 0x5F, false, 0x50)]
    [InlineData(0x00, 0x55, 0x60, true, 0x50)]
    [InlineData(0x70, 0x55, 0x6F, false, 0x70)]
    [InlineData(0x70, 0x55, 0x80, true, 0x70)]
    [InlineData(0x5C, 0x55, 0x60, true, 0x5C)]
    [InlineData(0xFF, 0x00, 0xFF, false, 0xFF)]
    public void Priority_DecidesWhatInterrupts(byte task, byte inService, byte requested, bool interrupts, byte priority)
    {
        Enable();
        if (inService != 0)
        {
            SelfInterrupt(inService);
            Assert.Equal(inService, _apic.Acknowledge());
        }

        Write(0x80, task);
        Assert.Equal(task, _processor.TaskPriority);
        SelfInterrupt(requested);
        Assert.Equal(interrupts, _apic.HasInterrupt);
        Assert.Equal(priority, Read(0xA0));
        Assert.Equal(1u << (requested & 31), Read(0x200 + (requested >> 5 << 4)));
    }

    [Fact]
    public void Interrupts_AreTakenFromTheHighestAndEndedInTheSameOrder()
    {
        Enable();
        foreach (byte vector in new byte[] { 0x31, 0x91, 0x52 })
            SelfInterrupt(vector);
        Assert.Equal(0x91, _apic.Acknowledge());
        Assert.False(_apic.HasInterrupt);
        Write(0xB0, 0);
        Assert.Equal(0x52, _apic.Acknowledge());
        SelfInterrupt(0x71);
        Assert.Equal(0x71, _apic.Acknowledge()); // nests
        Write(0xB0, 0);
        Assert.False(_apic.HasInterrupt);
        Write(0xB0, 0);
        Assert.Equal(0x31, _apic.Acknowledge());
        Write(0xB0, 0);
        Assert.Equal(0u, Read(0xA0));
    }

    [Fact]
    public void Acknowledge_WithNothingAboveThePriority_IsSpurious()
    {
        Write(0xF0, 0x1EF);
        SelfInterrupt(0x40);
        _processor.TaskPriority = 0x40;
        Assert.Equal(0xEF, _apic.Acknowledge());
        Assert.Equal(0u, Read(0x120));
        _processor.TaskPriority = 0;
        Assert.Equal(0x40, _apic.Acknowledge());
    }

    // ICR: shorthand or destination, and whether this processor (id 0) gets it. Delivery status reads 0 in any case.
    [Theory]
    [InlineData(0x0000_4041u, 0x00u, true)]
    [InlineData(0x0000_4041u, 0x01u, false)]
    [InlineData(0x0000_4041u, 0xFFu, true)]
    [InlineData(0x0004_4041u, 0x55u, true)]  // self
    [InlineData(0x0008_4041u, 0x55u, true)]  // all including self
    [InlineData(0x000C_4041u, 0x00u, false)] // all but self
    [InlineData(0x0000_4841u, 0x01u, true)]  // logical, flat
    [InlineData(0x0000_4841u, 0x02u, false)]
    [InlineData(0x0000_4841u, 0x03u, true)]
    [InlineData(0x0000_4141u, 0x00u, true)]  // lowest priority
    public void Command_ReachesItsDestination(uint command, uint destination, bool reached)
    {
        Enable();
        Write(0xD0, 0x0100_0000);
        Write(0x310, destination << 24);
        Write(0x300, command);
        Assert.Equal(reached, _apic.HasInterrupt);
        Assert.Equal(command, Read(0x300));
    }

    [Theory]
    [InlineData(0x21, true)]
    [InlineData(0x2F, true)]
    [InlineData(0x24, false)]
    [InlineData(0x31, false)]
    [InlineData(0xFF, true)]
    public void Command_LogicalCluster_MatchesClusterAndBit(uint destination, bool reached)
    {
        Enable();
        Write(0xE0, 0);
        Write(0xD0, 0x2300_0000);
        Write(0x310, destination << 24);
        Write(0x300, 0x4841);
        Assert.Equal(reached, _apic.HasInterrupt);
    }

    [Theory]
    [InlineData(0x500u)] // INIT
    [InlineData(0x608u)] // start-up
    [InlineData(0x8500u)] // INIT level de-assert
    public void Command_ToAProcessorThatIsNotThere_Completes(uint command)
    {
        Enable();
        Write(0x310, 1 << 24);
        Write(0x300, command);
        Assert.Equal(0u, Read(0x300) & (1 << 12));
        Assert.False(_apic.HasInterrupt || _apic.IsNonMaskableRequested);
    }

    [Fact]
    public void Command_Nmi_Waits()
    {
        Write(0x300, 0x4_4400);
        Assert.True(_apic.IsNonMaskableRequested);
        _apic.AcknowledgeNonMaskable();
        Assert.False(_apic.IsNonMaskableRequested);
    }

    // ESR: shows what was gathered until it is written. Bits 5, 6 and 7.
    [Fact]
    public void Errors_ShowAfterAWriteAndInterrupt()
    {
        Enable();
        Write(0x370, 0x45);
        Write(0x300, 0x4_4003); // an illegal vector
        Assert.Equal(0u, Read(0x280));
        Assert.Equal(0x45, _apic.Acknowledge());
        Write(0x280, 0);
        Assert.Equal(0x20u, Read(0x280));
        Assert.Equal(0u, Read(0x400)); // no register
        _bus.Send(new ApicMessage(5, ApicDeliveryMode.Fixed, 0, false, false));
        Write(0x280, 0);
        Assert.Equal(0xC0u, Read(0x280));
        Write(0x280, 0);
        Assert.Equal(0u, Read(0x280));
    }

    // Divide configuration and divisor.
    [Theory]
    [InlineData(0b0000, 2)]
    [InlineData(0b0001, 4)]
    [InlineData(0b0010, 8)]
    [InlineData(0b0011, 16)]
    [InlineData(0b1000, 32)]
    [InlineData(0b1001, 64)]
    [InlineData(0b1010, 128)]
    [InlineData(0b1011, 1)]
    public void Timer_OneShot_EndsAfterCountTimesDivisor(uint configuration, int divisor)
    {
        Enable();
        Write(0x3E0, configuration);
        Write(0x320, 0x51);
        Write(0x380, 100);
        Step((ulong)(40 * divisor));
        Assert.Equal(60u, Read(0x390));
        Assert.Equal((ulong)(100 * divisor), _apic.NextChange);
        Step((ulong)(60 * divisor) - 1);
        Assert.False(_apic.HasInterrupt);
        Step(1);
        Assert.Equal(0x51, _apic.Acknowledge());
        Assert.Equal((0u, 100u), (Read(0x390), Read(0x380)));
        Step(10_000);
        Assert.False(_apic.HasInterrupt);
        Assert.Equal(ulong.MaxValue, _apic.NextChange);
    }

    [Fact]
    public void Timer_Periodic_EndsAgainAndAgain()
    {
        Enable();
        Write(0x3E0, 0b1011);
        Write(0x320, 0x2_0051);
        Write(0x380, 100);
        for (int i = 1; i <= 5; i++)
        {
            Assert.Equal((ulong)i * 100, _apic.NextChange);
            Step(100);
            Assert.Equal(0x51, _apic.Acknowledge());
            Write(0xB0, 0);
            Assert.Equal(100u, Read(0x390));
        }

        Write(0x380, 0);
        Step(1000);
        Assert.False(_apic.HasInterrupt);
    }

    [Fact]
    public void Timer_Masked_CountsAndIsSilent()
    {
        Enable();
        Write(0x3E0, 0b1011);
        Write(0x320, 0x1_0051);
        Write(0x380, 100);
        Assert.False(_apic.IsWanted);
        Step(30);
        Assert.Equal(70u, Read(0x390));
        Step(100);
        Assert.False(_apic.HasInterrupt);
    }

    [Fact]
    public void Timer_Deadline_ComparesWithTheTimeStampCounter()
    {
        Enable();
        _processor.TimeStampOffset = 1000;
        Assert.True(_msrs.TryWrite(0x6E0, 5000)); // another mode: ignored
        Assert.Equal(ulong.MaxValue, _apic.NextChange);
        Write(0x320, 0x4_0051);
        Assert.True(_msrs.TryWrite(0x6E0, 5000));
        Assert.Equal(4000UL, _apic.NextChange);
        Write(0x380, 7); // no initial count in this mode
        Assert.Equal(0u, Read(0x390));
        Step(3999);
        Assert.True(_msrs.TryRead(0x6E0, out ulong armed) && armed == 5000);
        Step(1);
        Assert.Equal(0x51, _apic.Acknowledge());
        Assert.True(_msrs.TryRead(0x6E0, out armed) && armed == 0);
        Assert.True(_msrs.TryWrite(0x6E0, 100)); // in the past: at once
        Assert.True(_apic.NextChange <= _now);
    }

    // IA32_APIC_BASE: mode before, EN and EXTD written, whether it is allowed: "x2APIC State Transitions".
    [Theory]
    [InlineData(LocalApicMode.Memory, false, false, true)]
    [InlineData(LocalApicMode.Memory, true, true, true)]
    [InlineData(LocalApicMode.Memory, false, true, false)]
    [InlineData(LocalApicMode.Disabled, true, false, true)]
    [InlineData(LocalApicMode.Disabled, true, true, false)]
    [InlineData(LocalApicMode.Disabled, false, true, false)]
    [InlineData(LocalApicMode.Registers, false, false, true)]
    [InlineData(LocalApicMode.Registers, true, false, false)]
    [InlineData(LocalApicMode.Registers, false, true, false)]
    [InlineData(LocalApicMode.Registers, true, true, true)]
    public void Mode_Transition_IsTheManuals(LocalApicMode before, bool enabled, bool extended, bool allowed)
    {
        if (before != LocalApicMode.Memory)
            Assert.True(_apic.TrySetMode(before == LocalApicMode.Registers, before == LocalApicMode.Registers));
        Assert.Equal(allowed, _apic.TrySetMode(enabled, extended));
        LocalApicMode wanted = enabled ? extended ? LocalApicMode.Registers : LocalApicMode.Memory : LocalApicMode.Disabled;
        Assert.Equal(allowed ? wanted : before, _apic.Mode);
    }

    [Fact]
    public void Disable_ResetsAndHidesTheRegisters()
    {
        Enable();
        Write(0x320, 0x41);
        Assert.True(_apic.TrySetMode(false, false));
        Assert.Equal(uint.MaxValue, Read(0xF0));
        Write(0xF0, 0x1FF);
        Assert.True(_apic.PassesExternal);
        Assert.True(_apic.TrySetMode(true, false));
        Assert.Equal((0xFFu, 0x1_0000u), (Read(0xF0), Read(0x320)));
        Assert.False(_apic.PassesExternal);
    }

    // x2APIC: MSR, whether RDMSR and WRMSR of 0 are allowed. "x2APIC Register Address Space".
    [Theory]
    [InlineData(0x802, true, false)]
    [InlineData(0x803, true, false)]
    [InlineData(0x808, true, true)]
    [InlineData(0x809, false, false)]
    [InlineData(0x80A, true, false)]
    [InlineData(0x80B, false, true)]
    [InlineData(0x80D, true, false)]
    [InlineData(0x80E, false, false)]
    [InlineData(0x80F, true, true)]
    [InlineData(0x810, true, false)]
    [InlineData(0x827, true, false)]
    [InlineData(0x828, true, true)]
    [InlineData(0x82F, false, false)]
    [InlineData(0x830, true, true)]
    [InlineData(0x831, false, false)]
    [InlineData(0x832, true, true)]
    [InlineData(0x837, true, true)]
    [InlineData(0x838, true, true)]
    [InlineData(0x839, true, false)]
    [InlineData(0x83E, true, true)]
    [InlineData(0x83F, false, true)]
    [InlineData(0x840, false, false)]
    [InlineData(0x8FF, false, false)]
    public void Msr_OfX2Apic_CanBeReadAndWrittenAsTheManualSays(uint number, bool readable, bool writable)
    {
        Assert.False(_msrs.TryRead(number, out _) || _msrs.TryWrite(number, 0)); // not in this mode
        _apic.TrySetMode(true, true);
        Assert.Equal(readable, _msrs.TryRead(number, out _));
        Assert.Equal(writable, _msrs.TryWrite(number, 0));
    }

    [Theory]
    [InlineData(0x808, 0x100)]
    [InlineData(0x80B, 1)]
    [InlineData(0x828, 1)]
    [InlineData(0x80F, 0x200)]
    [InlineData(0x830, 0x1000)]
    [InlineData(0x832, 0x8_0000)]
    [InlineData(0x83E, 4)]
    [InlineData(0x83F, 0x100)]
    public void Msr_OfX2Apic_ReservedBits_AreRefused(uint number, ulong value)
    {
        _apic.TrySetMode(true, true);
        Assert.False(_msrs.TryWrite(number, value));
    }

    // INIT for others or for nobody, its de-assert and start-up messages leave this processor alone.
    [Theory]
    [InlineData(0u, 0x0_4500u, 1)]
    [InlineData(0u, 0x4_4500u, 1)]
    [InlineData(0u, 0x8_C500u, 1)]
    [InlineData(0xFFu, 0x0_4500u, 1)]
    [InlineData(0u, 0xC_4500u, 0)]
    [InlineData(5u, 0x0_4500u, 0)]
    [InlineData(0u, 0x0_8500u, 0)]
    [InlineData(0u, 0x8_8500u, 0)]
    [InlineData(0u, 0x0_4608u, 0)]
    public void Init_OfTheOnlyProcessor_ResetsTheMachine(uint destination, uint command, int resets)
    {
        Write(0x310, destination << 24);
        Write(0x300, command);

        Assert.Equal(resets, _machine.Resets);
        Assert.Equal(0u, Read(0x300) & (1 << 12));
    }

    [Fact]
    public void X2Apic_InterruptsItselfByAllItsWays()
    {
        var apic = new LocalApic(0x25, _processor, _bus, _machine);
        var msrs = new LocalApicMsrs(apic);
        apic.TrySetMode(true, true);
        Assert.True(msrs.TryWrite(0x80F, 0x1FF));
        Assert.True(msrs.TryRead(0x802, out ulong id) && id == 0x25);
        Assert.True(msrs.TryRead(0x80D, out ulong logical) && logical == 0x2_0020);
        foreach ((uint number, ulong value) in new[] { (0x83Fu, 0x51UL), (0x830u, 0x25UL << 32 | 0x4051), (0x830u, 0x2_0020UL << 32 | 0x4851), (0x830u, 0xFFFF_FFFFUL << 32 | 0x4051) })
        {
            Assert.True(msrs.TryWrite(number, value));
            Assert.True(apic.HasInterrupt);
            Assert.Equal(0x51, apic.Acknowledge());
            Assert.True(msrs.TryWrite(0x80B, 0));
        }

        Assert.True(msrs.TryRead(0x830, out ulong command) && command == (0xFFFF_FFFFUL << 32 | 0x4051));
    }

    // An end of a level-triggered interrupt is told to the I/O APIC.
    [Fact]
    public void IoApic_Level_IsSentAgainAfterItsEndWhileThePinIsHigh()
    {
        IoApic io = Pin(9, 0x8041);
        io.Line(9).Raise();
        Assert.Equal(0xC041u, Entry(io, 9));
        Assert.Equal(0x41, _apic.Acknowledge());
        Assert.Equal(2u, Read(0x1A0));
        io.Line(9).Raise();
        Assert.False(_apic.HasInterrupt);
        Write(0xB0, 0);
        Assert.Equal(0x41, _apic.Acknowledge());
        io.Line(9).Lower();
        Write(0xB0, 0);
        Assert.False(_apic.HasInterrupt);
        Assert.Equal(0x8041u, Entry(io, 9));
    }

    [Fact]
    public void IoApic_Edge_IsSentOnceAndLostWhileMasked()
    {
        IoApic io = Pin(2, 0x0041);
        io.Line(2).Raise();
        Assert.Equal(0x41, _apic.Acknowledge());
        Write(0xB0, 0);
        Assert.False(_apic.HasInterrupt);
        io.Line(2).Lower();
        WriteIo(io, 0x14, 0x1_0041);
        Assert.False(io.Listens(2));
        io.Line(2).Raise();
        WriteIo(io, 0x14, 0x0041);
        Assert.False(_apic.HasInterrupt);
        io.Line(2).Lower();
        io.Line(2).Raise();
        Assert.True(_apic.HasInterrupt);
    }

    [Theory]
    [InlineData(0x00, 0xFFFF_FFFFu, 0x0F00_0000u)]
    [InlineData(0x01, 0xFFFF_FFFFu, 0x0017_0011u)]
    [InlineData(0x10, 0xFFFF_FFFFu, 0x0001_AFFFu)]
    [InlineData(0x11, 0xFFFF_FFFFu, 0xFF00_0000u)]
    [InlineData(0x3E, 0x0000_0041u, 0x0000_0041u)]
    [InlineData(0x40, 0xFFFF_FFFFu, 0u)]
    public void IoApic_Register_KeepsItsDefinedBits(byte register, uint written, uint read)
    {
        var io = new IoApic(_bus);
        WriteIo(io, register, written);
        Assert.Equal(read, (uint)io.Read(0x10, 4));
    }

    private IoApic Pin(int pin, uint entry)
    {
        Enable();
        var io = new IoApic(_bus);
        Assert.Equal(0x1_0000u, Entry(io, pin));
        WriteIo(io, (byte)(0x10 + (2 * pin)), entry);
        return io;
    }

    private static uint Entry(IoApic io, int pin)
    {
        io.Write(0, (ulong)(0x10 + (2 * pin)), 4);
        return (uint)io.Read(0x10, 4);
    }

    private static void WriteIo(IoApic io, byte register, uint value)
    {
        io.Write(0, register, 4);
        io.Write(0x10, value, 4);
    }

    private void Enable() => Write(0xF0, 0x1FF);

    private void SelfInterrupt(byte vector) => Write(0x300, 0x4_4000u | vector);

    private uint Read(int offset) => (uint)_memory.Read((ulong)offset, 4);

    private void Write(int offset, uint value) => _memory.Write((ulong)offset, value, 4);

    private void Step(ulong ticks)
    {
        _now += ticks;
        _apic.AdvanceTo(_now);
    }

    private sealed class FakeMachine : IMachineReset
    {
        public int Resets { get; private set; }

        public void RequestReset() => Resets++;
    }

    private sealed class FakeProcessor : IProcessorRegisters
    {
        public byte TaskPriority { get; set; }

        public ulong TimeStampOffset { get; set; }
    }
}
