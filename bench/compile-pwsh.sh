#!/bin/sh
# Makes a pwsh as PowerShell's installers bring it, compiled ahead, of the .NET tool, which is not: compile-pwsh.sh TOOL-PATH TARGET
# TOOL-PATH is where `dotnet tool install --tool-path` put it; the compiler is there once ./build.ps1 has made the module.
set -e
from=$(dirname "$(find "$1/.store" -path '*/unix/System.Management.Automation.dll' | head -n 1)")
compiler=$(find "${NUGET_PACKAGES:-$HOME/.nuget/packages}"/microsoft.netcore.app.crossgen2.*/*/tools -name crossgen2 | tail -n 1)
runtime=$(dotnet --list-runtimes | sed -n 's/^Microsoft.NETCore.App \(10[^ ]*\) \[\(.*\)\]$/\2\/\1/p' | tail -n 1)
mkdir -p "$2"
cp -r "$from" "$2/lib"
for name in System.Management.Automation Microsoft.PowerShell.ConsoleHost Microsoft.PowerShell.Commands.Utility \
    Microsoft.PowerShell.Commands.Management Microsoft.PowerShell.Security pwsh; do
    rm "$2/lib/$name.dll"
    "$compiler" "$from/$name.dll" -o "$2/lib/$name.dll" -r "$runtime/*.dll" -r "$from/*.dll" -O >/dev/null
done
printf '#!/bin/sh\nexec dotnet "%s/lib/pwsh.dll" "$@"\n' "$(cd "$2" && pwd)" >"$2/pwsh"
chmod +x "$2/pwsh"
