using System.Runtime.Versioning;
using Mmu86.Cli;
using Mmu86.Cli.CommandLine;
using Xunit;

namespace Mmu86.EndToEnd.Tests;

/// <summary>Files of results: whole or not at all.</summary>
[SupportedOSPlatform("linux")]
public sealed class ReportTargetTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("mmu86-target-").FullName;
    private readonly StandardStreams _streams = new(new MemoryStream(), new MemoryStream());

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Write_ThatIsNotCompleted_LeavesTheOldFileAndNothingElse()
    {
        string path = Existing("old");
        using (ReportTarget target = ReportTarget.Open("--csv", path, _streams)!)
            target.Write("half");

        Assert.Equal("old", File.ReadAllText(path));
        Assert.Equal([path], Directory.GetFiles(_folder));
    }

    [Fact]
    public void Write_UntilItIsComplete_ShowsTheOldFile()
    {
        string path = Existing("old");
        using ReportTarget target = ReportTarget.Open("--csv", path, _streams)!;
        target.Write("new");

        Assert.Equal("old", File.ReadAllText(path));
        target.Complete();
        Assert.Equal("new", File.ReadAllText(path));
    }

    [Fact]
    public void Complete_OverAFileWithItsOwnMode_KeepsTheMode()
    {
        string path = Existing("old");
        const UnixFileMode Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead;
        File.SetUnixFileMode(path, Mode);

        Replace(path);

        Assert.Equal(("new", Mode), (File.ReadAllText(path), File.GetUnixFileMode(path)));
    }

    [Fact]
    public void Complete_ThroughALink_ReplacesWhatItLeadsTo()
    {
        string path = Existing("old");
        string link = Path.Combine(_folder, "link");
        File.CreateSymbolicLink(link, path);

        Replace(link);

        Assert.Equal("new", File.ReadAllText(path));
        Assert.Equal(path, new FileInfo(link).LinkTarget);
    }

    [Fact]
    public void Open_SeveralTargetsInOneFolder_AreApart()
    {
        string[] options = ["--json", "--csv", "--html"];
        ReportTarget[] targets = [.. options.Select(option => ReportTarget.Open(option, Path.Combine(_folder, option[2..]), _streams)!)];
        for (int index = 0; index < targets.Length; index++)
            targets[index].Write(options[index]);
        foreach (ReportTarget target in targets)
        {
            target.Complete();
            target.Dispose();
        }

        Assert.All(options, option => Assert.Equal(option, File.ReadAllText(Path.Combine(_folder, option[2..]))));
        Assert.Equal(3, Directory.GetFiles(_folder).Length);
    }

    [Fact]
    public void Open_NameAsLongAsNamesCanBe_Works()
    {
        string path = Path.Combine(_folder, new string('n', 255));

        Replace(path);

        Assert.Equal("new", File.ReadAllText(path));
    }

    [Theory]
    [InlineData("/nosuch/folder/table.csv")]
    [InlineData("/")]
    [InlineData("/tmp")]
    [InlineData("/tmp/")]
    [InlineData("")]
    public void Open_WhereNoFileCanBe_IsOneSentence(string path)
    {
        UserErrorException exception = Assert.Throws<UserErrorException>(() => ReportTarget.Open("--csv", path, _streams));

        Assert.Equal((74, $"--csv: {path} cannot be written"), (exception.Status, exception.Message));
    }

    [Fact]
    public void Write_OnAFullDevice_SaysThatNoSpaceIsLeft()
    {
        using ReportTarget target = ReportTarget.Open("--html", "/dev/full", _streams)!;

        UserErrorException exception = Assert.Throws<UserErrorException>(() =>
        {
            target.Write("page");
            target.Complete();
        });

        Assert.Equal((74, "--html: /dev/full cannot be written: no space is left"), (exception.Status, exception.Message));
    }

    [Fact]
    public void Write_OnADevice_DoesNotReplaceIt()
    {
        Replace("/dev/null");

        Assert.Equal(0, new FileInfo("/dev/null").Length);
        Assert.Empty(Directory.GetFiles("/dev", ".mmu86-*"));
    }

    [Fact]
    public void Write_OnStandardOutputByItsPath_GoesWhereTheShellSentIt()
    {
        string path = Path.Combine(_folder, "out");
        string program = Path.Combine(AppContext.BaseDirectory, "mmu86.dll");
        using var process = System.Diagnostics.Process.Start("/bin/sh", ["-c", $"dotnet '{program}' inspect hello --count 1 --json /dev/stdout | cat > '{path}'"]);
        process.WaitForExit();

        Assert.Contains("mmu86.translation/1", File.ReadAllText(path));
        Assert.Equal([path], Directory.GetFiles(_folder));
    }

    private string Existing(string text)
    {
        string path = Path.Combine(_folder, "file");
        File.WriteAllText(path, text);
        return path;
    }

    private void Replace(string path)
    {
        using ReportTarget target = ReportTarget.Open("--csv", path, _streams)!;
        target.Write("new");
        target.Complete();
    }
}
