using Mmu86.Cpu;

namespace Mmu86.Tests.Cpu.System;

/// <summary>An interrupt controller that raises vectors at moments that the test chose.</summary>
internal sealed class ScheduledEvents(Vcpu vcpu) : IProcessorEvents
{
    private readonly SortedDictionary<ulong, byte> _schedule = [];
    private readonly SortedSet<byte> _waiting = [];

    public List<(ulong Instructions, ulong Time, ulong Rip, ulong Rcx)> Taken { get; } = [];

    public ulong NextDeadline => _schedule.Count == 0 ? ulong.MaxValue : _schedule.Keys.First();

    public bool HasInterrupt => _waiting.Count != 0;

    public bool HasNonMaskableInterrupt { get; set; }

    public void At(ulong time, byte vector) => _schedule.Add(time, vector);

    public void Raise(byte vector)
    {
        _waiting.Add(vector);
        vcpu.NoteEvents();
    }

    public void Advance()
    {
        foreach (ulong time in _schedule.Keys.Where(time => time <= vcpu.VirtualTime).ToArray())
        {
            _waiting.Add(_schedule[time]);
            _schedule.Remove(time);
        }
    }

    public byte AcknowledgeInterrupt()
    {
        Note();
        byte vector = _waiting.Max;
        _waiting.Remove(vector);
        return vector;
    }

    public void AcknowledgeNonMaskableInterrupt()
    {
        Note();
        HasNonMaskableInterrupt = false;
    }

    public bool OwnsRegister(uint number) => false;

    public bool TryReadRegister(uint number, out ulong value)
    {
        value = 0;
        return false;
    }

    public bool TryWriteRegister(uint number, ulong value) => false;

    public bool TryWriteApicBase(ulong value) => true;

    private void Note() => Taken.Add((vcpu.Counters.Instructions, vcpu.VirtualTime, vcpu.Registers.Rip, vcpu.Registers.Rcx));
}
