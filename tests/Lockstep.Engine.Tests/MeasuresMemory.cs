namespace Lockstep.Engine.Tests;

/// <summary>Tests that measure the memory of the whole process, so nothing else may run meanwhile.</summary>
[CollectionDefinition(nameof(MeasuresMemory), DisableParallelization = true)]
public sealed class MeasuresMemory;
