using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>The fault of the instruction in progress, as a value.</summary>
/// <param name="Failure">None for an exception that no translation caused.</param>
/// <param name="Vector">The exception, unless the failure is a VM exit.</param>
/// <param name="ErrorCode">Pushed where the vector has one.</param>
/// <param name="Translation">The translation that failed, if one did.</param>
public readonly record struct PendingFault(TranslationFailure Failure, ExceptionVector Vector, uint ErrorCode, TranslationFault Translation);

/// <summary>Records the fault of the instruction in progress. Nothing has been committed when one is recorded.</summary>
public sealed class FaultState
{
    /// <summary>The fault recorded last.</summary>
    public PendingFault Pending { get; private set; }

    /// <summary>Records an exception.</summary>
    /// <returns>False always, so that <c>return Raise(...)</c> reads as "failed".</returns>
    public bool Raise(ExceptionVector vector, uint errorCode)
    {
        Pending = new PendingFault(TranslationFailure.None, vector, errorCode, default);
        return false;
    }

    /// <summary>Records a failed translation.</summary>
    /// <param name="fault">What the MMU answered.</param>
    /// <param name="nonCanonicalVector">#SS for stack references, #GP for others.</param>
    /// <returns>False always.</returns>
    public bool Raise(in TranslationFault fault, ExceptionVector nonCanonicalVector)
    {
        Pending = fault.Failure switch
        {
            TranslationFailure.NonCanonical => new PendingFault(fault.Failure, nonCanonicalVector, 0, fault),
            TranslationFailure.PageFault => new PendingFault(fault.Failure, ExceptionVector.PageFault, (uint)fault.ErrorCode, fault),
            _ => new PendingFault(fault.Failure, default, 0, fault),
        };
        return false;
    }
}
