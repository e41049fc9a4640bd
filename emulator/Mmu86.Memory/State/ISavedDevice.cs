namespace Mmu86.Memory;

/// <summary>A device with state of its own.</summary>
public interface ISavedDevice
{
    /// <summary>Writes its registers and whatever it remembers.</summary>
    void Save(StateWriter writer);

    /// <summary>Reads them back. The lines that it drives are not driven: whoever listens has a state of its own.</summary>
    /// <exception cref="StateFormatException">No such device can be in that state.</exception>
    void Load(StateReader reader);
}
