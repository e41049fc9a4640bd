namespace Mmu86.Devices;

/// <summary>What <see cref="BalloonDevice"/> needs of the hypervisor. Frame numbers and addresses are the guest's word and may be anything.</summary>
public interface IBalloonHost
{
    /// <summary>Frames of 4 KiB that the balloon is to have.</summary>
    uint TargetFrames { get; }

    /// <summary>Takes frames from the guest.</summary>
    void Inflate(ReadOnlySpan<uint> frames);

    /// <summary>The guest uses frames again.</summary>
    void Deflate(ReadOnlySpan<uint> frames);

    /// <summary>The guest reports memory that it does not use, and may use again without a word.</summary>
    /// <param name="address">Guest-physical.</param>
    /// <param name="length">In bytes.</param>
    void ReportFree(ulong address, uint length);

    /// <summary>A buffer was refused as a whole: too long, or it is no RAM.</summary>
    void NoteRefusedBuffer();

    /// <summary>The guest says how many frames its balloon has.</summary>
    void NoteActual(uint frames);

    /// <summary>The guest's statistics have come.</summary>
    void NoteStatistics(in BalloonStatistics statistics);

    /// <summary>A driver works with the device, or does so no more.</summary>
    void DriverChanged(bool isDriven);
}
