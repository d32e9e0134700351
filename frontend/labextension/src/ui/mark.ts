/** The mark, three stacked stones, as an icon of Lab that takes the colour of its theme. */
import { LabIcon } from "@jupyterlab/ui-components";

export const mark = new LabIcon({
  name: "cairn-lab:mark",
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 32 32"><g class="jp-icon3" fill="#616161">
<path d="M3.600 25.300c0-2.500 4.600-4.100 12.600-4.100 7.700 0 12.200 1.500 12.200 4 0 2.700-4.900 3.900-12.300 3.900s-12.500-1.100-12.500-3.800z"/>
<path opacity=".8" d="M7.400 17.300c.2-2.300 4-3.500 9-3.300 4.900.2 8.300 1.600 8.100 3.700-.2 2.300-4.100 3.200-8.800 3-4.800-.2-8.500-1.200-8.300-3.400z"/>
<path opacity=".6" d="M10.600 9.600c0-2.200 2.500-4.500 5.900-4.500 3 0 5.200 1.800 5.200 4.200 0 2.500-2.400 4.300-5.500 4.300-3.400 0-5.600-1.600-5.600-4z"/>
</g></svg>`,
});
