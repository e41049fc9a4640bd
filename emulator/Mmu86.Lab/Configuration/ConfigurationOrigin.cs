namespace Mmu86.Lab.Configuration;

/// <summary>Where a refused value came from: it decides the exit status.</summary>
public enum ConfigurationOrigin
{
    /// <summary>A file that is missing, unreadable or wrong inside.</summary>
    File,

    /// <summary>The command line.</summary>
    CommandLine,
}
