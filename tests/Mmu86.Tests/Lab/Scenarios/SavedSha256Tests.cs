using System.Security.Cryptography;
using Mmu86.Lab.Scenarios;
using Mmu86.Memory;
using Mmu86.TestKit;
using Xunit;

namespace Mmu86.Tests.Lab.Scenarios;

public sealed class SavedSha256Tests
{
    [Fact]
    public void Hash_OfAnyLengthPutDownAnywhere_IsThatOfTheWhole()
    {
        Random random = TestSeed.Case(1);
        for (int length = 0; length < 300; length++)
        {
            byte[] bytes = new byte[length];
            random.NextBytes(bytes);
            int cut = random.Next(length + 1);
            var first = new SavedSha256();
            first.Append(bytes.AsSpan(0, cut));
            Assert.Equal(SHA256.HashData(bytes.AsSpan(0, cut)), first.Current());
            var writer = new StateWriter(ForgottenHostAddresses.All);
            writer.Begin("hash");
            first.Save(writer);
            writer.End();
            var second = new SavedSha256();
            var reader = new StateReader(writer.Sections, ForgottenHostAddresses.All);
            reader.Open("hash");
            second.Load(reader);
            reader.Close();
            foreach (byte value in bytes.AsSpan(cut))
                second.Append([value]);
            Assert.Equal(SHA256.HashData(bytes), second.Current());
        }
    }
}
