namespace Mmu86.Devices;

/// <summary>Brings messages to the local APICs that they are meant for, and ends of interrupts to the I/O APIC. What nobody takes is gone.</summary>
public sealed class ApicBus
{
    private readonly List<LocalApic> _processors = [];

    /// <summary>Who is told of the end of level-triggered interrupts; null where there is no I/O APIC.</summary>
    public IoApic? IoApic { get; set; }

    /// <summary>Adds the local APIC of a processor.</summary>
    public void Add(LocalApic apic) => _processors.Add(apic);

    /// <summary>Sends a message.</summary>
    /// <returns>Whether anybody took it.</returns>
    public bool Send(in ApicMessage message)
    {
        bool isTaken = false;
        foreach (LocalApic apic in _processors)
        {
            if (!apic.IsMeant(message.Destination, message.IsLogical))
                continue;
            isTaken |= apic.Accept(message);
            if (message.Mode == ApicDeliveryMode.LowestPriority && isTaken)
                break;
        }

        return isTaken;
    }

    /// <summary>Sends a message to every processor, or to every one but the sender.</summary>
    public void Broadcast(in ApicMessage message, LocalApic? except)
    {
        foreach (LocalApic apic in _processors)
        {
            if (apic != except)
                apic.Accept(message);
        }
    }

    /// <summary>A processor ended a level-triggered interrupt.</summary>
    public void End(byte vector) => IoApic?.End(vector);
}
