using BenchmarkDotNet.Attributes;
using Iced.Intel;
using Mmu86.Lab;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Bench.Parts;

/// <summary>What decoding costs, and stores to pages that hold decoded code.</summary>
public class CodeCosts
{
    private const int Rounds = 100;
    private const int Stores = 1000;
    private const int FunctionInstructions = 960;
    private const int LineBytes = 64;

    private GuestLoop _loop = null!;

    [GlobalSetup(Target = nameof(Decode))]
    public void SetUpDecode() => SetFunction(
        function =>
        {
            for (int i = 0; i < FunctionInstructions / 4; i++)
            {
                function.mov(eax, __dword_ptr[rsi + (4 * (i % 8))]);
                function.add(eax, edx);
                function.lea(rdx, __[rax + (rbx * 4)]);
                function.mov(__dword_ptr[rsi + 32], eax);
            }

            function.ret();
        },
        Rounds,
        c =>
        {
            c.mov(al, __byte_ptr[rdi]);
            c.mov(__byte_ptr[rdi], al);
            c.call(rdi);
        });

    /// <summary>An instruction that is decoded and run once: a function is dropped by a store to its first byte and called.</summary>
    [Benchmark(OperationsPerInvoke = Rounds * FunctionInstructions, Description = "decoding an instruction and running it once")]
    public void Decode() => _loop.Run();

    [GlobalSetup(Target = nameof(StoreBesideCode))]
    public void SetUpStoreBesideCode() => SetFunction(
        function => function.ret(),
        Stores,
        c => c.mov(__dword_ptr[rdi + (4 * LineBytes)], eax));

    /// <summary>A store to a page that holds code, into a line that holds none: nothing is dropped.</summary>
    [Benchmark(OperationsPerInvoke = Stores, Description = "store to a page with code, in a line without")]
    public void StoreBesideCode() => _loop.Run();

    [GlobalSetup(Target = nameof(StoreIntoCode))]
    public void SetUpStoreIntoCode() => SetFunction(
        function => function.ret(),
        Stores,
        c =>
        {
            c.mov(__byte_ptr[rdi], unchecked((sbyte)0xC3));
            c.call(rdi);
        });

    /// <summary>A store over a decoded RET, which is then decoded again and called.</summary>
    [Benchmark(OperationsPerInvoke = Stores, Description = "store over code, decoding it again, CALL and RET")]
    public void StoreIntoCode() => _loop.Run();

    [GlobalCleanup]
    public void CleanUp() => _loop.Dispose();

    // A loop with the address of the function in RDI and of data in RSI. The function is called once first.
    private void SetFunction(Action<Assembler> function, int rounds, Action<Assembler> body) => _loop = new GuestLoop(
        Fidelity.Tlb,
        rounds,
        new GuestLoopCode
        {
            Prepare = c =>
            {
                c.mov(rsi, GuestLoop.DataAddress);
                c.mov(rdi, GuestLoop.FunctionAddress);
                c.call(rdi);
            },
            Body = body,
            Function = function,
        });
}
