namespace Mmu86.TestKit.Paging;

/// <summary>The replacement state of one set, in its most literal form.</summary>
public interface IReferencePolicy
{
    /// <summary>A lookup hit this way.</summary>
    void Hit(int way);

    /// <summary>A new entry was put into this way.</summary>
    void Filled(int way);

    /// <summary>The way that gives way while all are in use.</summary>
    int Victim();
}
