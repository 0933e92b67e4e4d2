using System.Management.Automation;
using Lockstep.Engine;

namespace Lockstep.Errors;

/// <summary>
/// Turns the engine's errors into PowerShell's. Id and recommended action come with the exception; its category is looked up here,
/// by the nearest type that the table names.
/// </summary>
internal static class ErrorRecords
{
    private static readonly Dictionary<Type, ErrorCategory> Categories = new()
    {
        [typeof(PathProviderException)] = ErrorCategory.InvalidArgument,
        [typeof(PathNotFoundException)] = ErrorCategory.ObjectNotFound,
        [typeof(UnsuitableObjectException)] = ErrorCategory.InvalidData,
        [typeof(LockstepException)] = ErrorCategory.NotSpecified,
    };

    /// <summary>The error record of an error that Lockstep reports on purpose; null for any other, which is a fault of ours and passes as it is.</summary>
    public static ErrorRecord? TryDescribe(Exception error, object? target) =>
        error is LockstepException known ? Describe(known, target) : null;

    /// <summary>The error record, with stable id, category, target and recommended action.</summary>
    public static ErrorRecord Describe(LockstepException error, object? target) => new(error, error.ErrorId, CategoryOf(error.GetType()), target)
    {
        ErrorDetails = new ErrorDetails(error.Message) { RecommendedAction = error.RecommendedAction },
    };

    private static ErrorCategory CategoryOf(Type type)
    {
        ErrorCategory category;
        while (!Categories.TryGetValue(type, out category))
            type = type.BaseType!;

        return category;
    }
}
