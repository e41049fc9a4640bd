namespace Mmu86.Lab.Personality;

/// <summary>Error numbers of Linux. A call returns the negative of one.</summary>
public enum Errno
{
    /// <summary>EPERM.</summary>
    NotPermitted = 1,

    /// <summary>ENOENT.</summary>
    NoSuchFile = 2,

    /// <summary>ESRCH.</summary>
    NoSuchProcess = 3,

    /// <summary>EBADF.</summary>
    BadDescriptor = 9,

    /// <summary>ENOMEM.</summary>
    NoMemory = 12,

    /// <summary>EFAULT.</summary>
    BadAddress = 14,

    /// <summary>EEXIST.</summary>
    Exists = 17,

    /// <summary>ENODEV.</summary>
    NoDevice = 19,

    /// <summary>EINVAL.</summary>
    Invalid = 22,

    /// <summary>ENOTTY.</summary>
    NotATerminal = 25,

    /// <summary>ESPIPE.</summary>
    IllegalSeek = 29,

    /// <summary>ENOSYS.</summary>
    NoSuchCall = 38,
}
