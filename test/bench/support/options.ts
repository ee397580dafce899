/** `--name 5` or `--name=5` of the command line. */
export function option(name: string, fallback: number): number {
  const flag = `--${name}`;
  for (const [index, argument] of process.argv.entries()) {
    if (argument === flag) return Number(process.argv[index + 1]);
    if (argument.startsWith(`${flag}=`)) return Number(argument.slice(flag.length + 1));
  }
  return fallback;
}
