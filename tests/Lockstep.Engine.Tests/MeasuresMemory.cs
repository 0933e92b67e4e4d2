namespace Lockstep.Engine.Tests;

/// <summary>Tests that look at the memory of the whole process, which nothing else may fill meanwhile.</summary>
[CollectionDefinition(nameof(MeasuresMemory), DisableParallelization = true)]
public sealed class MeasuresMemory;
