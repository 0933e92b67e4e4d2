using Lockstep.Errors;
using Lockstep.Sessions;

namespace Lockstep.Gossip;

/// <summary>The models and listeners of one runspace; they end with it. Thread-safe.</summary>
internal sealed class RunspaceModels : IRunspaceState
{
    private readonly Lock _gate = new();
    private readonly List<ModelInfo> _models = [];
    private readonly List<ModelListenerInfo> _listeners = [];
    private bool _closed;

    /// <summary>Those of this thread's runspace.</summary>
    public static RunspaceModels Current => PerRunspace<RunspaceModels>.Current;

    /// <summary>The models, the oldest first.</summary>
    public IReadOnlyList<ModelInfo> Models
    {
        get
        {
            lock (_gate)
            {
                _models.RemoveAll(model => model.IsRemoved);
                return [.. _models];
            }
        }
    }

    /// <summary>The running listeners, the oldest first.</summary>
    public IReadOnlyList<ModelListenerInfo> Listeners
    {
        get
        {
            lock (_gate)
            {
                _listeners.RemoveAll(listener => !listener.IsListening);
                return [.. _listeners];
            }
        }
    }

    /// <summary>The only model.</summary>
    /// <exception cref="ModelNotFoundException">There is none, or there are several.</exception>
    public ModelInfo Only => Models is [var only] ? only : throw ModelNotFoundException.NotOne([.. Models.Select(model => model.Name)]);

    /// <summary>The only running listener.</summary>
    /// <exception cref="ModelListenerNotFoundException">There is none, or there are several.</exception>
    public ModelListenerInfo OnlyListener =>
        Listeners is [var only] ? only : throw new ModelListenerNotFoundException([.. Listeners.Select(listener => listener.Uri)]);

    /// <summary>The model of that name, ignoring case.</summary>
    /// <exception cref="ModelNotFoundException">There is none.</exception>
    public ModelInfo Find(string name) => TryFind(name) ?? throw ModelNotFoundException.Named(name);

    /// <summary>The model given to a cmdlet, or the only one if none is given.</summary>
    /// <exception cref="ModelNotFoundException">There is no such model, or none was named and there are several.</exception>
    public static SessionModel Find(ModelReference? reference) =>
        SessionModel.Of(reference is null ? Current.Only : reference.Model ?? Current.Find(reference.ToString()));

    /// <exception cref="ModelNameInUseException">A model has that name.</exception>
    public void RequireFree(string name)
    {
        if (TryFind(name) is not null)
            throw new ModelNameInUseException(name);
    }

    /// <summary>Adds a model to this runspace; ends the model if that fails.</summary>
    /// <exception cref="ModelNameInUseException">A model has its name.</exception>
    public void Add(ModelInfo model)
    {
        var taken = TryFind(model.Name) is not null;
        lock (_gate)
        {
            if (!_closed && !taken)
            {
                _models.Add(model);
                return;
            }
        }

        Wait(SessionModel.Of(model));
        if (taken)
            throw new ModelNameInUseException(model.Name);
    }

    /// <summary>Adds a listener to this runspace.</summary>
    public void Add(ModelListenerInfo listener)
    {
        lock (_gate)
        {
            if (!_closed)
            {
                _listeners.Add(listener);
                return;
            }
        }

        // The runspace was closed while the listener was starting.
        Wait(SessionListener.Of(listener));
    }

    /// <inheritdoc/>
    public void Close()
    {
        IAsyncDisposable[] all;
        lock (_gate)
        {
            _closed = true;
            all = [.. _listeners.Select(SessionListener.Of), .. _models.Select(SessionModel.Of)];
            _listeners.Clear();
            _models.Clear();
        }

        Wait(all);
    }

    private ModelInfo? TryFind(string name) =>
        Models.FirstOrDefault(model => string.Equals(model.Name, name, StringComparison.OrdinalIgnoreCase));

    private static void Wait(params IAsyncDisposable[] ended) =>
        Task.WhenAll(ended.Select(each => each.DisposeAsync().AsTask())).GetAwaiter().GetResult();
}
