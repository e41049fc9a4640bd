namespace Mmu86.Lab.Personality;

/// <summary>Answers the system calls of a guest that has no kernel.</summary>
public interface IPersonality
{
    /// <summary>Answers one call. Whatever its arguments are, this does not throw for them.</summary>
    /// <param name="call">Number and arguments.</param>
    /// <param name="machine">The process that calls.</param>
    /// <returns>What goes to RAX, or the end of the process.</returns>
    /// <exception cref="IOException">The guest's output cannot be written.</exception>
    SystemCallOutcome Answer(in SystemCall call, IProcessMachine machine);

    /// <summary>Calls that were refused because nobody answers them, by name, with how often.</summary>
    IReadOnlyDictionary<string, long> Unanswered { get; }
}
