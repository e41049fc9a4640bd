namespace Mmu86.Lab.Configuration;

/// <summary>A configuration was refused. Carries everything that is wrong with it, not only the first thing.</summary>
public sealed class ConfigurationException : Exception
{
    /// <summary>Refuses a configuration.</summary>
    /// <param name="what">What was read, in words: <c>machine file x.json</c> or <c>--set</c>.</param>
    /// <param name="kind">Where the configuration came from.</param>
    /// <param name="errors">At least one error.</param>
    public ConfigurationException(string what, ConfigurationOrigin kind, IReadOnlyList<ConfigurationError> errors)
        : base(string.Join(Environment.NewLine, errors.Select(error => $"{what}: {error}")))
    {
        Origin = kind;
        Errors = errors;
    }

    /// <summary>Where the configuration came from.</summary>
    public ConfigurationOrigin Origin { get; }

    /// <summary>Everything that is wrong, in the order of the document.</summary>
    public IReadOnlyList<ConfigurationError> Errors { get; }
}
